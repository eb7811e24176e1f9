"""Tiles that a protocol names in a split file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from mmlandslide.datasets.storage.split_file import listed_ids
from mmlandslide.errors import LandslideError
from mmlandslide.study.yaml_model import FaultError, existing_file


@dataclass(frozen=True)
class TileList:
    """Tiles of a split file.

    Attributes:
        file: path of the file.
        ids: in its order, none twice.
    """

    file: str
    ids: tuple[str, ...]


def read_tile_list(path: str) -> TileList:
    """Read a split file: one id per line; `#` starts a comment.

    Raises:
        LandslideError: see `split_file.listed_ids`.
    """
    return TileList(path, tuple(listed_ids(Path(path))))


def _listed(path: object) -> TileList:
    try:
        return read_tile_list(existing_file(path))
    except LandslideError as error:
        raise FaultError(
            '', 'be a list of tile ids', repr(str(error)), 'Correct that file'
        ) from error


#: A path in a file of ours, read as the tiles that it lists.
ListedTiles = Annotated[TileList, BeforeValidator(_listed)]
