"""Training crops that reach across the borders of tiles, where the tiles' grid is known."""

from collections.abc import Mapping

import numpy as np
from mmcv.transforms import BaseTransform

from mmlandslide.datasets.l4s.borders import meeting
from mmlandslide.datasets.transforms.geometry import image_of, replace_boxes, replace_image
from mmlandslide.datasets.transforms.windows import clip_boxes
from mmlandslide.datasets.views.view import Sample
from mmlandslide.errors import ConfigError
from mmlandslide.registry import TRANSFORMS

#: Tiles by their place beside the first: rows down and columns right, (0, 0) the tile itself.
Tiles = Mapping[tuple[int, int], Sample]


@TRANSFORMS.register_module()
class RandomShiftAcross(BaseTransform):
    """Shift the frame into the neighbours of a tile, which keeps its size.

    Landslide4Sense's training tiles are four scenes cut row by row, and 38 % of the RGB boxes touch
    a border: here a landslide that was cut is whole, with one box. Neighbours that the view itself
    does not hold are never looked at, so nothing of a scored tile is seen; towards them the frame
    is not shifted. Not yet measured.

    Stands first in a pipeline, while tiles have their own size.

    Args:
        prob: of a shift.
        most: share of the tile's side by which it is shifted at most, along each axis.
        min_visible: a box stays where this share of its area is inside.

    Raises:
        ConfigError: the view knows no grid, or is in test mode.
    """

    def __init__(self, prob: float = 0.5, most: float = 0.5, min_visible: float = 0.3) -> None:
        self.prob, self.most, self.min_visible = prob, most, min_visible

    def transform(self, results: Sample) -> Sample:
        """Return the sample, shifted."""
        if 'beside' not in results:
            raise ConfigError.mismatch(
                'RandomShiftAcross',
                'shift training tiles of Landslide4Sense',
                f'{results.get("dataset")}, {results.get("img_id")}',
                'the pipeline',
                'Leave it out of tests and of other data',
            )
        rng: np.random.Generator = results['rng']
        image = image_of(results)
        height, width = image.shape[1:]
        if rng.random() >= self.prob or height != width:
            return results
        down, right = (round(self.most * height * each) for each in rng.uniform(-1, 1, 2))
        tiles, down, right = _around(results, down, right)
        canvas = np.empty_like(image)
        for (row, column), tile in tiles.items():
            _paste(canvas, image_of(tile), row * height - down, column * width - right)
        boxes, labels = whole_boxes(tiles, height)
        replace_image(results, canvas)
        results['gt_bboxes_labels'] = labels
        shifted = boxes - np.array([right, down, right, down], np.float32)
        replace_boxes(results, *clip_boxes(shifted, (0, 0, width, height), self.min_visible))
        return results


def _around(results: Sample, down: int, right: int) -> tuple[Tiles, int, int]:
    """Return the tiles under a shifted frame, and the shift, 0 along an axis without neighbour."""
    tiles: dict[tuple[int, int], Sample] = {(0, 0): results}
    beside = results['beside']
    row, column = int(np.sign(down)), int(np.sign(right))
    for place in ((row, 0), (0, column), (row, column)):
        if place in tiles or (place[0] and place[1] and len(tiles) < 3):
            continue
        tile = beside(*place)
        if tile is not None and tile['img'].shape == results['img'].shape:
            tiles[place] = tile
    if (row, 0) not in tiles:
        down = 0
    if (0, column) not in tiles:
        right = 0
    if down and right and (row, column) not in tiles:
        right = 0
        tiles.pop((0, column))
    return tiles, down, right


def _paste(canvas: np.ndarray, image: np.ndarray, top: int, left: int) -> None:
    """Put an image on a canvas, (C, H, W) both, where its corner may lie outside."""
    height, width = canvas.shape[1:]
    y1, x1, y2, x2 = max(top, 0), max(left, 0), min(top + height, height), min(left + width, width)
    if y1 < y2 and x1 < x2:
        canvas[:, y1:y2, x1:x2] = image[:, y1 - top : y2 - top, x1 - left : x2 - left]


def whole_boxes(tiles: Tiles, tile_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes of tiles beside each other, those that a border cuts as one.

    Args:
        tiles: by place, with `gt_bboxes` and `gt_bboxes_labels`.
        tile_px: side of each.

    Returns:
        Boxes (N, 4) float32 in the frame of the tile at (0, 0), and labels (N,) int64.
    """
    first = np.cumsum([0, *(len(tile['gt_bboxes']) for tile in tiles.values())])
    start = dict(zip(tiles, first[:-1], strict=True))
    group = np.arange(first[-1])
    for (row, column), tile in tiles.items():
        for axis, place in enumerate(((row, column + 1), (row + 1, column))):
            if place in tiles:
                met = meeting(tile['gt_bboxes'], tiles[place]['gt_bboxes'], axis, tile_px)
                for one, other in zip(*np.nonzero(met), strict=True):
                    ends = group[start[row, column] + one], group[start[place] + other]
                    group[group == max(ends)] = min(ends)
    moved = [
        tile['gt_bboxes'] + np.tile((column * tile_px, row * tile_px), 2)
        for (row, column), tile in tiles.items()
    ]
    boxes = np.concatenate(moved).astype(np.float32)
    labels = np.concatenate([tile['gt_bboxes_labels'] for tile in tiles.values()])
    kept = np.unique(group)
    whole = [boxes[group == each] for each in kept]
    joined = [np.concatenate([each[:, :2].min(0), each[:, 2:].max(0)]) for each in whole]
    return np.array(joined, np.float32).reshape(-1, 4), labels[kept]
