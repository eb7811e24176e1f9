"""Where a Landslide4Sense training tile lies: its number is its place in one of four scenes.

The 3799 training tiles are four rasters cut row by row, so that
`row, column = divmod(number - first_number, columns)`. Measured on the tiles themselves
(`mmlandslide grid --data-root`), not published by the data's authors. The official validation and
test tiles show no such order, so they have no place here. Pure: imports nothing but the errors.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mmlandslide.errors import DatasetError, LandslideError

#: Side of a tile as published, px, and of a pixel, m (about).
TILE_PX = 128
GSD_M = 10.0
#: Side of the blocks of neighbouring tiles that intervals resample, tiles.
BLOCK_TILES = 4
#: Steps (row, column) to the tiles that share an edge, and to those that share a corner alone.
EDGE_STEPS = ((-1, 0), (0, -1), (0, 1), (1, 0))
CORNER_STEPS = ((-1, -1), (-1, 1), (1, -1), (1, 1))

_TILE_ID = re.compile(r'(?:landslide4sense:)?train/([0-9]{1,9})')


class TilePosition(NamedTuple):
    """Place of a tile.

    Attributes:
        scene: `A`, `B`, `C` or `D`.
        row: counted from 0, southwards.
        column: counted from 0, eastwards.
    """

    scene: str
    row: int
    column: int


@dataclass(frozen=True)
class GridScene:
    """A scene that was cut into tiles.

    Attributes:
        name: a letter.
        first_number: number of its upper left tile.
        columns: tiles per row.
        rows: rows of tiles.
        region: what the scene shows by look; not proven.
    """

    name: str
    first_number: int
    columns: int
    rows: int
    region: str

    @property
    def numbers(self) -> range:
        """Numbers of its tiles, row by row."""
        return range(self.first_number, self.first_number + self.columns * self.rows)

    def number(self, row: int, column: int) -> int | None:
        """Return the number of the tile at a place, `None` outside the scene."""
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return self.first_number + row * self.columns + column if inside else None


#: Name -> scene, in the order of the tile numbers.
SCENES: dict[str, GridScene] = {
    scene.name: scene
    for scene in (
        GridScene('A', 1, 41, 74, 'Taiwan'),
        GridScene('B', 3035, 15, 10, 'Iburi'),
        GridScene('C', 3185, 11, 11, 'Gorkha'),
        GridScene('D', 3306, 26, 19, 'Kodagu'),
    )
}
NUM_TILES = sum(scene.columns * scene.rows for scene in SCENES.values())  # 3799


def tile_number(tile_id: str) -> int:
    """Return the number of a training tile.

    Args:
        tile_id: such as `train/12`, or after the name of the data, `landslide4sense:train/12`.

    Raises:
        DatasetError: not the id of a Landslide4Sense training tile.
    """
    match = _TILE_ID.fullmatch(tile_id)
    if match is None or not 1 <= int(match[1]) <= NUM_TILES:
        raise _unplaced(tile_id)
    return int(match[1])


def tile_id_of(number: int) -> str:
    """Return the id of a training tile, such as `train/12`.

    Raises:
        DatasetError: no training tile has that number.
    """
    return f'train/{_checked(number)}'


def position_of(number: int) -> TilePosition:
    """Return the place of a training tile.

    Args:
        number: of the tile, 1 to 3799.

    Raises:
        DatasetError: no training tile has that number.
    """
    _checked(number)
    scene = next(scene for scene in SCENES.values() if number in scene.numbers)
    return TilePosition(scene.name, *divmod(number - scene.first_number, scene.columns))


def number_at(position: TilePosition) -> int:
    """Return the number of the tile at a place: the inverse of `position_of`.

    Raises:
        DatasetError: no such scene, or the place lies outside it.
    """
    scene = scene_named(position.scene)
    number = scene.number(position.row, position.column)
    if number is None:
        raise DatasetError.mismatch(
            'tile position',
            f'lie in rows 0-{scene.rows - 1} and columns 0-{scene.columns - 1}',
            f'row {position.row}, column {position.column}',
            f'scene {scene.name}',
            'Name a row and a column inside the scene',
        )
    return number


def scene_named(name: str) -> GridScene:
    """Return a scene by its letter.

    Raises:
        DatasetError: no such scene.
    """
    if name not in SCENES:
        where, remedy = 'the grid of Landslide4Sense', 'Name one of those'
        raise DatasetError.mismatch('scene', f'be one of {list(SCENES)}', repr(name), where, remedy)
    return SCENES[name]


def edge_neighbours(number: int) -> tuple[int, ...]:
    """Return the numbers of the tiles that share an edge with a tile: two to four, ascending.

    Raises:
        DatasetError: no training tile has that number.
    """
    return tuple(_neighbours(number, EDGE_STEPS))


def corner_neighbours(number: int) -> tuple[int, ...]:
    """Return the numbers of the tiles that share only a corner with a tile: one to four, ascending.

    Raises:
        DatasetError: no training tile has that number.
    """
    return tuple(_neighbours(number, CORNER_STEPS))


def chebyshev_distance(number: int, other: int) -> float:
    """Return how many tiles apart two tiles lie, a step to a corner counting as one to an edge.

    Args:
        number: of a tile.
        other: number of another tile.

    Returns:
        0 for the same tile, 1 for neighbours by edge or corner; infinity across scenes.

    Raises:
        DatasetError: no training tile has that number.
    """
    first, second = position_of(number), position_of(other)
    if first.scene != second.scene:
        return math.inf
    return float(max(abs(first.row - second.row), abs(first.column - second.column)))


def edge_distance(number: int, other: int) -> float:
    """Return how many steps across edges lead from one tile to another.

    Args:
        number: of a tile.
        other: number of another tile.

    Returns:
        0 for the same tile, 1 for neighbours by edge, 2 by corner; infinity across scenes.

    Raises:
        DatasetError: no training tile has that number.
    """
    first, second = position_of(number), position_of(other)
    if first.scene != second.scene:
        return math.inf
    return float(abs(first.row - second.row) + abs(first.column - second.column))


def block_label(number: int, side_tiles: int = BLOCK_TILES) -> str:
    """Return the block of neighbouring tiles that a tile lies in, for resampling and for grouping.

    Blocks are counted from the upper left tile of each scene; those at its right and lower end may
    be smaller.

    Args:
        number: of the tile.
        side_tiles: rows and columns of a block.

    Returns:
        Scene, block row and block column, such as `A-12-0`.

    Raises:
        DatasetError: no training tile has that number, or a side below 1.
    """
    if side_tiles < 1:
        where, remedy = 'block_label(...)', 'Name how many tiles a side of a block has'
        raise DatasetError.mismatch('side_tiles', 'be at least 1', side_tiles, where, remedy)
    scene, row, column = position_of(number)
    return f'{scene}-{row // side_tiles}-{column // side_tiles}'


def _neighbours(number: int, steps: tuple[tuple[int, int], ...]) -> Iterator[int]:
    name, row, column = position_of(number)
    found = (SCENES[name].number(row + down, column + right) for down, right in steps)
    return (neighbour for neighbour in found if neighbour is not None)


def _checked(number: int) -> int:
    if not 1 <= number <= NUM_TILES:
        raise _unplaced(number)
    return number


def _unplaced(got: object) -> LandslideError:
    return DatasetError.mismatch(
        'tile',
        f'be one of the Landslide4Sense training tiles train/1 to train/{NUM_TILES}',
        repr(got),
        'the grid of Landslide4Sense',
        'Only these have a known place: take others out of the list',
    )
