"""Bootstrap over groups of tiles: resamples, intervals, and what is resampled.

Tiles resemble their neighbours, so an interval that resamples single tiles is too narrow: whole
blocks of neighbours are drawn (block bootstrap: Efron and Tibshirani 1993, chapter 8.6; percentile
intervals: chapter 13). Pure NumPy.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmlandslide.datasets import l4s_grid
from mmlandslide.errors import DatasetError, MissingPathError

RESAMPLES = 1000
#: Name of the grouping into blocks of neighbouring Landslide4Sense training tiles.
L4S_BLOCKS = 'l4s_blocks'
_L4S = 'landslide4sense:'


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which tiles of a set are drawn together.

    Attributes:
        unit: what is resampled, for results and reports, such as `4 x 4 tiles`.
        group_index: (T,) int, group of each tile of the set, in the set's order.
        known: whether neighbours are kept together; False where tiles are resampled alone because
            nothing is known of where they lie.
    """

    unit: str
    group_index: NDArray[np.int64]
    known: bool

    @property
    def num_groups(self) -> int:
        """Number of groups."""
        return int(self.group_index.max()) + 1 if self.group_index.size else 0

    def as_dict(self) -> dict[str, object]:
        """Return what a result states beside its intervals."""
        return {
            'interval_unit': self.unit,
            'interval_groups': self.num_groups,
            'interval_tiles': len(self.group_index),
            'interval_grouping_known': self.known,
        }


def grouping_of(
    tile_ids: Sequence[str],
    grouping: str | Path | None = None,
    block_tiles: int = l4s_grid.BLOCK_TILES,
) -> Grouping:
    """Return how a set of tiles is to be resampled.

    Args:
        tile_ids: of the set.
        grouping: `l4s_blocks` for blocks of neighbouring Landslide4Sense tiles, or a file with one
            `id,group` per line, see `read_groups`. Where `None`, blocks are taken if every id
            carries the name of that data (`landslide4sense:train/12`), for other data may number
            their tiles alike.
        block_tiles: rows and columns of tiles of a block.

    Returns:
        The grouping. Single tiles, with `known` False, where neither is given or named, and for
        Landslide4Sense's official validation and test tiles, whose places are not known.

    Raises:
        LandslideError: as `read_groups`; a tile that the file leaves out, or a number beyond those
            of the training tiles.
    """
    own = L4S_BLOCKS if tile_ids and all(name.startswith(_L4S) for name in tile_ids) else None
    grouping = own if grouping is None else grouping
    if grouping is None:
        return single_tiles(len(tile_ids))
    if grouping != L4S_BLOCKS:
        groups = read_groups(grouping)
        _require_all(tile_ids, groups, grouping)
        return _grouping(f'groups of {Path(grouping).name}', [groups[name] for name in tile_ids])
    if not all(name.removeprefix(_L4S).startswith('train/') for name in tile_ids):
        return single_tiles(len(tile_ids))
    numbers = map(l4s_grid.tile_number, tile_ids)
    blocks = [l4s_grid.block_label(number, block_tiles) for number in numbers]
    return _grouping(f'{block_tiles} x {block_tiles} tiles', blocks)


def single_tiles(num_tiles: int) -> Grouping:
    """Return the grouping in which each tile is drawn alone."""
    return Grouping('single tiles', np.arange(num_tiles), known=False)


def read_groups(path: str | Path) -> dict[str, str]:
    """Return tile id -> group of a file with one `id,group` per line.

    A first line of exactly `id,group` is a header; empty lines are skipped.

    Raises:
        MissingPathError: no such file.
        DatasetError: a line that is not `id,group`, or a tile twice.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPathError.mismatch(
            'group file', 'be a file', 'nothing', path, 'Check the path'
        )
    with path.open(newline='', encoding='utf-8') as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    rows = rows[1:] if rows and rows[0] == ['id', 'group'] else rows
    odd = next((row for row in rows if len(row) != 2 or not all(row)), None)
    remedy = 'Write one tile id and its group per line, such as train/12,north'
    if odd is not None:
        raise DatasetError.mismatch('group file', 'hold id,group', ','.join(odd), path, remedy)
    twice = [name for name, count in Counter(row[0] for row in rows).items() if count > 1]
    if twice:
        raise DatasetError.mismatch(
            'tile ids', 'be unique', f'{twice[0]!r} twice', path, 'Give each tile one group'
        )
    return dict(rows)


def _require_all(tile_ids: Sequence[str], groups: Mapping[str, str], path: str | Path) -> None:
    missing = [name for name in tile_ids if name not in groups]
    if missing:
        raise DatasetError.mismatch(
            'group file',
            f'name all {len(tile_ids)} scored tiles',
            f'none for {len(missing)}, such as {missing[:3]}',
            path,
            'Add a line id,group for each',
        )


def _grouping(unit: str, names: Sequence[str]) -> Grouping:
    return Grouping(unit, np.unique(np.array(names), return_inverse=True)[1].reshape(-1), True)


@dataclass(frozen=True, eq=False)
class Draws:
    """Resamples that all models scored on a set share, so that differences are paired.

    Attributes:
        counts: (R, T) int, how often a resample holds a tile.
        seeds: (R, S) int, which of the S seeds, in their order, a resample averages over.
    """

    counts: NDArray[np.int64]
    seeds: NDArray[np.int64]


def draw(
    grouping: Grouping, num_seeds: int = 1, resamples: int = RESAMPLES, seed: int = 0
) -> Draws:
    """Draw groups, and seeds of training, with replacement.

    Seeds are drawn along, for a second training differs from the first by more than tiles explain;
    with two or three of them, the part of the spread that they stand for is underestimated.

    Args:
        grouping: of the scored set.
        num_seeds: trainings that are averaged over.
        resamples: to draw.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    size = grouping.num_groups
    drawn = generator.multinomial(size, np.full(size, 1 / max(size, 1)), size=resamples)
    counts = drawn.astype(np.int64)[:, grouping.group_index]
    return Draws(counts, generator.integers(num_seeds, size=(resamples, num_seeds)))


def interval(values: NDArray[np.floating], coverage: float = 0.95) -> tuple[float, float]:
    """Return the middle share of resampled values, those left out that are not numbers.

    Args:
        values: any shape.
        coverage: share of the values between the two; 0.95 gives the 2.5th and 97.5th percentile.

    Returns:
        Lower and upper edge; NaN where no value is a number.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return float('nan'), float('nan')
    low, high = np.percentile(known, [50 * (1 - coverage), 50 * (1 + coverage)])
    return float(low), float(high)
