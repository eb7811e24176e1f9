"""Tiles that a protocol names in a split file, and how they are grouped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from mmlandslide.datasets.storage.split_file import listed_ids
from mmlandslide.errors import LandslideError
from mmlandslide.evaluation.bootstrap import L4S_BLOCKS, grouping_of
from mmlandslide.study.inputs.yaml_model import FaultError, existing_file


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


def _grouping(name: object) -> str:
    return L4S_BLOCKS if name == L4S_BLOCKS else existing_file(name)


def require_groups(tiles: TileList, grouping: str | None) -> None:
    """Refuse a grouping that does not know all tiles.

    Args:
        tiles: that are scored.
        grouping: see `GroupingName`.

    Raises:
        FaultError: a tile without a group.
    """
    try:
        grouping_of(tiles.ids, grouping)
    except LandslideError as error:
        remedy = 'Correct it, or leave grouping out'
        raise FaultError('grouping', f'group {tiles.file}', repr(str(error)), remedy) from error


#: `l4s_blocks`, or the path of a file `id,group`.
GroupingName = Annotated[str, BeforeValidator(_grouping)]
#: Path of a split file, read as the tiles that it lists.
ListedTiles = Annotated[TileList, BeforeValidator(_listed)]
