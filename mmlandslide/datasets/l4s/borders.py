"""When boxes of two neighbouring tiles are one landslide that their common border cuts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmlandslide.datasets.l4s_grid import SCENES, position_of

#: A box reaches a border where it ends within this share of the tile's side of it: 2 px of 224.
REACH = 2 / 224


@dataclass(frozen=True)
class Join:
    """Two boxes that meet at the border between their tiles.

    Attributes:
        first: number of the upper or left tile.
        first_index: position of its box.
        second: number of the lower or right tile.
        second_index: position of its box.
    """

    first: int
    first_index: int
    second: int
    second_index: int


def meeting(first: np.ndarray, second: np.ndarray, axis: int, tile_px: int) -> np.ndarray:
    """Return which boxes of a tile go on in those of the next one.

    Two boxes meet where both reach the common border and their extents along it overlap.

    Args:
        first: (N, 4) xyxy of the left (upper) tile, in its px.
        second: (M, 4) xyxy of the right (lower) tile, in its px.
        axis: 0 where the second tile lies to the right, 1 where it lies below.
        tile_px: side of both tiles.

    Returns:
        (N, M) bool.
    """
    along = 1 - axis
    ends = first[:, 2 + axis] >= tile_px * (1 - REACH)
    begins = second[:, axis] <= tile_px * REACH
    start = np.maximum(first[:, None, along], second[None, :, along])
    stop = np.minimum(first[:, None, 2 + along], second[None, :, 2 + along])
    return np.asarray(ends[:, None] & begins[None, :] & (stop > start))


def reaches_border(boxes_xyxy: np.ndarray, tile_px: int) -> np.ndarray:
    """Return which boxes, (N, 4), reach a border of their tile, (N,) bool."""
    low, high = tile_px * REACH, tile_px * (1 - REACH)
    return np.asarray((boxes_xyxy[:, :2] <= low).any(1) | (boxes_xyxy[:, 2:] >= high).any(1))


def joins(
    boxes_of: Callable[[int], np.ndarray | None], numbers: range, tile_px: int
) -> Iterator[Join]:
    """Yield the boxes that meet across the borders of a scene.

    Args:
        boxes_of: tile number -> its boxes, (N, 4) xyxy; `None` for a tile that is missing or not
            labelled.
        numbers: of the scene's tiles.
        tile_px: side of a tile.
    """
    for number in numbers:
        scene, row, column = position_of(number)
        first = boxes_of(number)
        for axis, step in ((0, (0, 1)), (1, (1, 0))):
            other = SCENES[scene].number(row + step[0], column + step[1])
            second = None if other is None else boxes_of(other)
            if other is not None and first is not None and second is not None:
                for index, touching in zip(
                    *np.nonzero(meeting(first, second, axis, tile_px)), strict=True
                ):
                    yield Join(number, int(index), other, int(touching))
