"""A model of the zoo: a folder with the detector twice, and a card that fits both files.

`model.onnx` runs without PyTorch, `model.safetensors` is to fine-tune from, `card.json` states what
they are, `card.md` says it for people and `item.json` for catalogues (STAC MLM). Nothing in a
folder is executed, and nothing is fetched.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmlandslide.errors import CheckpointError, ConfigError, MissingPathError
from mmlandslide.zoo.card import read_card

#: What a model of the zoo is called where a checkpoint is asked for.
SCHEME = 'zoo://'
#: The detector that `mmlandslide detect` takes where none is named.
DEFAULT = 'mobilenet_v2_rgb'
ONNX, SAFETENSORS, CARD, CARD_PAGE, ITEM = FILES = (
    *('model.onnx', 'model.safetensors'),
    *('card.json', 'card.md', 'item.json'),
)
_SHELF = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """A folder of the zoo.

    Attributes:
        folder: that holds `FILES`.
        card: content of its `card.json`.
    """

    folder: Path
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.card['name'])

    @property
    def onnx(self) -> Path:
        """The detector to run, which fits the card.

        Raises:
            CheckpointError: it does not, or is not there.
        """
        return self._checked(ONNX)

    @property
    def safetensors(self) -> Path:
        """The weights to fine-tune from, which fit the card.

        Raises:
            CheckpointError: they do not, or are not there.
        """
        return self._checked(SAFETENSORS)

    def _checked(self, name: str) -> Path:
        path, stated = self.folder / name, self.card['files'].get(name)
        got = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else 'no file'
        if got != stated:
            raise CheckpointError.mismatch(
                name,
                f'have the SHA-256 that its card states, {str(stated)[:12]}...',
                got[:12],
                self.folder,
                'Get the folder again: file and card are not of one model',
            )
        return path


def names(shelf: Path = _SHELF) -> tuple[str, ...]:
    """Return the names of the models of the zoo, the default first.

    Args:
        shelf: folder that holds theirs.
    """
    found = sorted(path.parent.name for path in shelf.glob(f'*/{CARD}'))
    return tuple(sorted(found, key=lambda name: name != DEFAULT))


def find(name: str, shelf: Path = _SHELF) -> Model:
    """Return a model by name, or by a folder of the same form, such as `study --publish` makes.

    Args:
        name: one of `names`, with or without `zoo://`, or the path of a folder.
        shelf: folder that holds those of the zoo.

    Raises:
        ConfigError: there is none of that name.
        CheckpointError: as `open_folder`.
    """
    plain = name.removeprefix(SCHEME)
    if plain in names(shelf):
        return open_folder(shelf / plain)
    if not name.startswith(SCHEME) and Path(name).is_dir():
        return open_folder(Path(name))
    known = list(names(shelf))
    raise ConfigError.mismatch(
        'model', f'be one of {known} or a folder with {CARD}', repr(name), 'the zoo', 'Name one'
    )


def open_folder(folder: Path) -> Model:
    """Return the model in a folder.

    Raises:
        MissingPathError: there is no card.
        CheckpointError: the card is none.
    """
    path = folder / CARD
    if not path.is_file():
        raise MissingPathError.mismatch(
            'model', f'have a {CARD}', 'none', folder, 'Pass a folder that `--publish` made'
        )
    return Model(folder, read_card(path))
