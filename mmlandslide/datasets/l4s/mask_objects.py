"""Whole landslides out of the masks of tiles: components across tile borders."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import shapely
import shapely.affinity
from rasterio.features import shapes

from mmlandslide.datasets.boxes import BoxRule
from mmlandslide.datasets.l4s.copies import TileCopy
from mmlandslide.datasets.l4s.objects import WholeObject, grouped
from mmlandslide.datasets.l4s_grid import EDGE_STEPS, GridScene


@dataclass
class _Pieces:
    """Components within rows of tiles, of a scene.

    Attributes:
        numbers: tiles of each piece.
        pixels: of each piece.
        outlines: polygons of each piece, px of the scene.
        cut: whether a piece reaches a border beyond which nothing is known.
        pairs: pieces that touch across a row's end.
    """

    numbers: list[set[int]] = field(default_factory=list)
    pixels: list[int] = field(default_factory=list)
    outlines: list[list[shapely.Polygon]] = field(default_factory=list)
    cut: list[bool] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)


def objects_from_masks(copy: TileCopy, scene: GridScene, rule: BoxRule) -> list[WholeObject]:
    """Return the landslides of a scene: connected pixels, whichever tiles they lie in.

    One row of tiles is held at a time, and the outlines of what was found.

    Args:
        copy: with the masks of the scene's tiles; a tile without one holds no landslide.
        scene: which.
        rule: of connectivity, and of the least size, which is that of the whole object.

    Raises:
        TileError: a broken mask.
    """
    pieces = _Pieces()
    above = np.zeros(scene.columns * copy.tile_px, np.int64)  # its piece + 1; 0 is background
    for row in range(scene.rows):
        labels = _add_row(pieces, copy, scene, row, rule)
        pieces.pairs += _touching(above, labels[0], rule.connectivity)
        above = labels[-1]
    return list(_whole(pieces, rule))


def _add_row(
    pieces: _Pieces, copy: TileCopy, scene: GridScene, row: int, rule: BoxRule
) -> np.ndarray:
    """Add the components of a row of tiles; return each pixel's piece + 1, (tile_px, W) int64."""
    px, first = copy.tile_px, len(pieces.numbers)
    strip = np.zeros((px, scene.columns * px), np.uint8)
    for column in range(scene.columns):
        number = scene.number(row, column)
        mask = copy.mask(number) if number in copy.images and number is not None else None
        if mask is not None:
            strip[:, column * px : (column + 1) * px] = mask
    count, small = cv2.connectedComponents(strip, connectivity=rule.connectivity)
    pieces.numbers += [set() for _ in range(count - 1)]
    pieces.outlines += [[] for _ in range(count - 1)]
    pieces.pixels += np.bincount(small.ravel(), minlength=count)[1:].tolist()
    pieces.cut += [False] * (count - 1)
    labels = np.where(small > 0, small.astype(np.int64) + first, 0)
    _note_tiles(pieces, copy, scene, row, labels)
    shift = [1, 0, 0, 1, 0, row * px]  # x, y in the scene
    for outline, value in shapes(small.astype(np.int32), mask=small > 0, connectivity=4):
        polygon = shapely.affinity.affine_transform(shapely.geometry.shape(outline), shift)
        pieces.outlines[first + int(value) - 1].append(polygon)
    return labels


def _note_tiles(
    pieces: _Pieces, copy: TileCopy, scene: GridScene, row: int, labels: np.ndarray
) -> None:
    """Note the tiles of each piece, and where nothing is known beyond their borders."""
    px = copy.tile_px
    for column in range(scene.columns):
        own = labels[:, column * px : (column + 1) * px]
        number = scene.number(row, column)
        assert number is not None
        for label in np.unique(own[own > 0]).tolist():
            pieces.numbers[label - 1].add(number)
        borders = (own[0], own[:, 0], own[:, -1], own[-1])
        for border, (down, right) in zip(borders, EDGE_STEPS, strict=True):
            if scene.number(row + down, column + right) not in copy.truths:
                for label in np.unique(border[border > 0]).tolist():
                    pieces.cut[label - 1] = True


def _touching(above: np.ndarray, below: np.ndarray, connectivity: int) -> set[tuple[int, int]]:
    """Return the pieces that touch between two rows of pixels, labelled with piece + 1."""
    found: set[tuple[int, int]] = set()
    width = len(above)
    for step in (0,) if connectivity == 4 else (-1, 0, 1):
        upper = above[max(0, -step) : width - max(0, step)]
        lower = below[max(0, step) : width - max(0, -step)]
        both = (upper > 0) & (lower > 0)
        found.update(zip((upper[both] - 1).tolist(), (lower[both] - 1).tolist(), strict=True))
    return found


def _whole(pieces: _Pieces, rule: BoxRule) -> Iterator[WholeObject]:
    """Yield the objects that pass the rule."""
    for group in grouped(len(pieces.numbers), pieces.pairs):
        outline = shapely.union_all(
            [polygon for position in group for polygon in pieces.outlines[position]]
        )
        left, top, right, bottom = outline.bounds
        pixels = sum(pieces.pixels[position] for position in group)
        box_area_px2 = (right - left) * (bottom - top)
        if pixels >= rule.min_pixels and box_area_px2 >= rule.min_box_area_px2:
            numbers = set().union(*(pieces.numbers[position] for position in group))
            cut = any(pieces.cut[position] for position in group)
            yield WholeObject(outline, tuple(sorted(numbers)), len(group), cut)
