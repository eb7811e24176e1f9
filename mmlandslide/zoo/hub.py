"""Models to and from the Hugging Face Hub, or a folder that stands for it.

Only the files of a model of the zoo are exchanged, none of which is executed; what was fetched must
fit its card before it gets its name.
"""

import shutil
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mmlandslide.errors import ConfigError
from mmlandslide.zoo.model import FILES, Model, open_folder


def push(model: Model, target: str) -> str:
    """Copy a model to a folder, or upload it to a repository of the Hub.

    Args:
        model: whose files fit its card.
        target: a folder that is there, or `user/repository`.

    Returns:
        Where it is now.

    Raises:
        CheckpointError: a file does not fit the card.
        ConfigError: `huggingface_hub` is not installed.
    """
    _require_whole(model)
    if Path(target).is_dir():
        for name in FILES:
            shutil.copyfile(model.folder / name, Path(target, name))
        return target
    hub = _hub()
    hub.create_repo(target, exist_ok=True)
    return str(
        hub.upload_folder(repo_id=target, folder_path=model.folder, allow_patterns=list(FILES))
    )


def pull(source: str, out: Path) -> Model:
    """Fetch a model from a folder or a repository of the Hub.

    Args:
        source: a folder that is there, or `user/repository`.
        out: folder to make.

    Raises:
        CheckpointError: a file does not fit the card; nothing is left.
        ConfigError: `out` is there, or `huggingface_hub` is not installed.
        MissingPathError: there is no card.
    """
    if out.exists():
        raise ConfigError.mismatch(
            'output', 'not be there yet', out.name, out.parent, 'Name another folder'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}.') as made:
        folder = Path(made, out.name)
        folder.mkdir()
        _fetch(source, folder, FILES)
        _require_whole(open_folder(folder))
        folder.rename(out)
    return open_folder(out)


def _fetch(source: str, folder: Path, names: Sequence[str]) -> None:
    if Path(source).is_dir():
        for name in names:
            if Path(source, name).is_file():
                shutil.copyfile(Path(source, name), folder / name)
        return
    _hub().snapshot_download(source, local_dir=folder, allow_patterns=list(names))
    shutil.rmtree(folder / '.cache', ignore_errors=True)


def _require_whole(model: Model) -> None:
    """Refuse a model one of whose files does not fit its card."""
    _ = model.onnx, model.safetensors  # each is compared with the card


def _hub() -> Any:
    try:
        return import_module('huggingface_hub')
    except ImportError as error:
        remedy = "Run `pip install 'mmlandslide[hub]'`, or name a folder that is there"
        raise ConfigError.mismatch(
            'environment', 'have huggingface_hub', repr(str(error)), 'Python', remedy
        ) from error
