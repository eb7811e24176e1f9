"""Whole landslides out of the boxes of tiles: boxes that meet at a border are one."""

import numpy as np
from shapely.geometry import box

from mmlandslide.datasets.boxes import BoxRule
from mmlandslide.datasets.l4s.borders import REACH, joins
from mmlandslide.datasets.l4s.copies import TileCopy
from mmlandslide.datasets.l4s.objects import WholeObject, grouped
from mmlandslide.datasets.l4s_grid import EDGE_STEPS, GridScene, position_of


def objects_from_boxes(copy: TileCopy, scene: GridScene, rule: BoxRule) -> list[WholeObject]:
    """Return the landslides of a scene as boxes.

    Two boxes are one landslide where both reach the common border of two tiles (within 2 px of
    224) and their extents along it overlap; what is joined so, however long the chain, becomes the
    box around all. Two landslides that a border cuts side by side are told apart only where their
    extents do not overlap.

    Args:
        copy: with the truth of the scene's tiles.
        scene: which.
        rule: how a mask becomes boxes; boxes of XML files are taken as they are.

    Raises:
        TileError: a broken file.
    """
    boxes = {
        number: found for number in scene.numbers if (found := copy.boxes(number, rule)) is not None
    }
    starts: dict[int, int] = {}
    owners: list[int] = []
    in_scene: list[list[float]] = []
    for number, found in boxes.items():
        starts[number] = len(owners)
        owners += [number] * len(found)
        in_scene += (found + np.tile(_origin_xy(number, copy.tile_px), 2)).tolist()
    pairs = [
        (starts[each.first] + each.first_index, starts[each.second] + each.second_index)
        for each in joins(boxes.get, scene.numbers, copy.tile_px)
    ]
    ends = _open_ends(boxes, scene, copy.tile_px)
    corners = np.array(in_scene, np.float64).reshape(-1, 4)
    return [
        WholeObject(
            box(*corners[group, :2].min(0), *corners[group, 2:].max(0)),
            tuple(sorted({owners[position] for position in group})),
            len(group),
            bool(ends[group].any()),
        )
        for group in grouped(len(corners), pairs)
    ]


def _origin_xy(number: int, tile_px: int) -> tuple[int, int]:
    """Return the upper left corner of a tile in its scene, px."""
    _, row, column = position_of(number)
    return column * tile_px, row * tile_px


def _open_ends(boxes: dict[int, np.ndarray], scene: GridScene, tile_px: int) -> np.ndarray:
    """Return which boxes, in order, reach a border beyond which no truth is known, (N,) bool."""
    low, high = tile_px * REACH, tile_px * (1 - REACH)
    found = [np.zeros(0, bool)]
    for number, own in boxes.items():
        _, row, column = position_of(number)
        reaches = (own[:, 1] <= low, own[:, 0] <= low, own[:, 2] >= high, own[:, 3] >= high)
        ends = np.zeros(len(own), bool)
        for reached, (down, right) in zip(reaches, EDGE_STEPS, strict=True):
            if scene.number(row + down, column + right) not in boxes:
                ends |= reached
        found.append(ends)
    return np.concatenate(found)
