"""How many scored tiles lie beside training tiles, and how many scored boxes continue in one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmlandslide.datasets.boxes import BoxRule
from mmlandslide.datasets.l4s.borders import joins, reaches_border
from mmlandslide.datasets.l4s.copies import TileCopy
from mmlandslide.datasets.l4s_grid import (
    NUM_TILES,
    SCENES,
    corner_neighbours,
    edge_neighbours,
    position_of,
    tile_id_of,
    tile_number,
)
from mmlandslide.datasets.storage.split_file import read_split
from mmlandslide.errors import DatasetError, SplitOverlapError


@dataclass(frozen=True)
class LeakReport:
    """What scored tiles share with training tiles.

    Attributes:
        training_tiles: in the first list.
        scored_tiles: in the second list.
        by_edge: scored tiles with a training tile beside them.
        by_edge_or_corner: scored tiles with one of the eight tiles around them in training.
        within_tiles: distance that `within` was counted at, in tiles (diagonals count as one).
        within: scored tiles with a training tile at that distance or nearer.
        boxes: boxes of the scored tiles; `None` where no copy was named.
        cut_boxes: of these, that reach a border of their tile.
        continuing_boxes: of these, that continue in a box of a training tile, see
            `borders.meeting`.
        unlabelled_tiles: scored tiles that the copy does not hold, or holds without truth.
    """

    training_tiles: int
    scored_tiles: int
    by_edge: int
    by_edge_or_corner: int
    within_tiles: int
    within: int
    boxes: int | None = None
    cut_boxes: int | None = None
    continuing_boxes: int | None = None
    unlabelled_tiles: int | None = None

    @property
    def leaking(self) -> bool:
        """Whether a scored tile has a training tile near, or a box that continues in one."""
        return bool(self.by_edge_or_corner or self.within or self.continuing_boxes)


def read_numbers(split_file: Path) -> list[int]:
    """Return the tile numbers of a split file of Landslide4Sense training tiles.

    Args:
        split_file: text, one id per line, such as `train/12`.

    Raises:
        MissingPathError: no such file.
        DatasetError: an id that is no training tile's, an id twice, or none.
    """
    known = {tile_id_of(number) for number in range(1, NUM_TILES + 1)}
    return [tile_number(tile_id) for tile_id in read_split(split_file, known)]


def require_apart(training: Sequence[int], scored: Sequence[int], where: object) -> None:
    """Refuse lists that share a tile.

    Args:
        training: tile numbers.
        scored: tile numbers.
        where: what holds them, for the error.

    Raises:
        SplitOverlapError: a tile is in both.
    """
    both = sorted({*training} & {*scored})
    if both:
        got = f'{len(both)} in both, such as {[tile_id_of(number) for number in both[:3]]}'
        remedy = 'Take them out of one of the lists'
        raise SplitOverlapError.mismatch('tiles', 'be trained on or scored on', got, where, remedy)


def find_leaks(training: Sequence[int], scored: Sequence[int], within_tiles: int = 1) -> LeakReport:
    """Count the scored tiles that lie beside training tiles.

    Args:
        training: tile numbers.
        scored: other tile numbers.
        within_tiles: distance to count at, in tiles.

    Raises:
        DatasetError: a number that is no training tile's, or a distance below 1.
        SplitOverlapError: a tile is in both lists.
    """
    if within_tiles < 1:
        remedy = 'Name how many tiles count as near'
        raise DatasetError.mismatch(
            'within', 'be at least 1', within_tiles, 'find_leaks(...)', remedy
        )
    require_apart(training, scored, 'the two lists')
    seen = {*training}
    by_edge = {number for number in scored if not seen.isdisjoint(edge_neighbours(number))}
    by_corner = {number for number in scored if not seen.isdisjoint(corner_neighbours(number))}
    near = np.array(nearest_distances(training, scored)) <= within_tiles
    around = len(by_edge | by_corner)
    return LeakReport(
        len(training), len(scored), len(by_edge), around, within_tiles, int(near.sum())
    )


def nearest_distances(training: Sequence[int], scored: Sequence[int]) -> list[float]:
    """Return how many tiles each scored tile lies from the nearest training tile.

    Infinity where none is in its scene.

    Args:
        training: tile numbers.
        scored: tile numbers.
    """
    places: dict[str, list[tuple[int, int]]] = {}
    for number in training:
        scene, row, column = position_of(number)
        places.setdefault(scene, []).append((row, column))
    arrays = {scene: np.array(found) for scene, found in places.items()}

    def nearest(number: int) -> float:
        scene, row, column = position_of(number)
        return (
            float(abs(arrays[scene] - (row, column)).max(1).min()) if scene in arrays else math.inf
        )

    return [nearest(number) for number in scored]


def count_boxes(
    report: LeakReport,
    training: Sequence[int],
    scored: Sequence[int],
    copy: TileCopy,
    rule: BoxRule,
) -> LeakReport:
    """Return a report with what the boxes of a copy add to it.

    Args:
        report: of the same lists.
        training: tile numbers.
        scored: tile numbers.
        copy: that holds the truth.
        rule: how masks become boxes.

    Raises:
        DatasetError: the copy holds the truth of no scored tile.
        TileError: a broken file.
    """
    seen, wanted = {*training}, {*scored}
    boxes = {number: copy.boxes(number, rule) for number in sorted(seen | wanted)}
    labelled = [found for number, found in boxes.items() if number in wanted and found is not None]
    if not labelled:
        got, remedy = f'none of {len(wanted)}', 'Name a copy with masks or XML files'
        raise DatasetError.mismatch(
            'copy', 'hold the truth of the scored tiles', got, copy.root, remedy
        )
    continuing = set()
    for scene in SCENES.values():
        for join in joins(boxes.get, scene.numbers, copy.tile_px):
            if join.first in wanted and join.second in seen:
                continuing.add((join.first, join.first_index))
            if join.second in wanted and join.first in seen:
                continuing.add((join.second, join.second_index))
    counts = {
        'boxes': sum(map(len, labelled)),
        'cut_boxes': int(sum(reaches_border(found, copy.tile_px).sum() for found in labelled)),
        'continuing_boxes': len(continuing),
        'unlabelled_tiles': len(wanted) - len(labelled),
    }
    return replace(report, **counts)
