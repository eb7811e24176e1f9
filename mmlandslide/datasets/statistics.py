"""What the values and the boxes of a data set look like, measured in one pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmlandslide.datasets import anchors as anchor_room

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class BandMoments:
    """Mean, spread and range of each band.

    Attributes:
        pixels: counted in each band.
        mean: (C,) float64.
        std: (C,) float64, of the population.
        minimum: (C,) float64.
        maximum: (C,) float64.
    """

    pixels: int
    mean: np.ndarray
    std: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray


def band_moments(images: Iterable[np.ndarray]) -> BandMoments:
    """Return each band's moments over many tiles, holding one at a time.

    Tiles are merged by Chan, Golub and LeVeque's pairwise update (1979), which keeps its digits
    where a sum of squares loses them.

    Args:
        images: (C, H, W) each; at least one, all with the same bands, of any size.
    """
    pixels = 0
    mean = squares = minimum = maximum = np.zeros(0)
    for image in images:
        values = image.reshape(len(image), -1).astype(np.float64)
        count, tile_mean = values.shape[1], values.mean(axis=1)
        tile_squares = ((values - tile_mean[:, None]) ** 2).sum(axis=1)
        if pixels == 0:
            mean, squares, minimum, maximum = (
                tile_mean,
                tile_squares,
                values.min(axis=1),
                values.max(axis=1),
            )
        else:
            delta = tile_mean - mean
            squares = squares + tile_squares + delta**2 * (pixels * count / (pixels + count))
            mean = mean + delta * (count / (pixels + count))
            minimum, maximum = (
                np.minimum(minimum, values.min(axis=1)),
                np.maximum(maximum, values.max(axis=1)),
            )
        pixels += count
    return BandMoments(pixels, mean, np.sqrt(squares / max(pixels, 1)), minimum, maximum)


def box_quantiles(boxes_per_tile: Sequence[np.ndarray]) -> dict[str, list[float]]:
    """Return quantiles (`QUANTILES`) of what boxes look like.

    Args:
        boxes_per_tile: (N, 4) xyxy each.

    Returns:
        `sqrt_area_px`, `aspect_ratio` (longer over shorter side) over all boxes and
        `boxes_per_tile` over all tiles; an empty list where there is nothing to measure.
    """
    boxes = np.concatenate([np.zeros((0, 4)), *boxes_per_tile])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    measured = {
        'sqrt_area_px': np.sqrt(width * height),
        'aspect_ratio': np.maximum(width, height) / np.minimum(width, height),
        'boxes_per_tile': np.array([len(found) for found in boxes_per_tile], np.float64),
    }
    return {
        name: np.quantile(values, QUANTILES).tolist() if len(values) else []
        for name, values in measured.items()
    }


def measure_boxes(
    boxes_per_tile: list[np.ndarray],
    sides_px: list[int],
    input_px: int,
    used: anchor_room.Anchors | None = None,
) -> dict[str, Any]:
    """Return sizes of boxes, the anchors that fit them and how many boxes those in use reach.

    Args:
        boxes_per_tile: (N, 4) xyxy each, in the tile's own px.
        sides_px: longer side of each tile.
        input_px: longer side at which the detector takes every tile.
        used: anchors of a config; `None` where none are to be measured.
    """
    boxes = [
        found * (input_px / side_px)
        for found, side_px in zip(boxes_per_tile, sides_px, strict=True)
    ]
    scaled, input_hw = np.concatenate([np.zeros((0, 4)), *boxes]), (input_px, input_px)
    numbers: dict[str, Any] = {
        'tiles': len(boxes),
        'boxes': len(scaled),
        'quantiles': list(QUANTILES),
        **box_quantiles(boxes_per_tile),
    }
    if len(scaled):
        found = {'anchors': anchor_room.fit(scaled, input_hw), 'anchors_of_config': used}
        numbers |= {
            name: _row(anchors, scaled, input_px)
            for name, anchors in found.items()
            if anchors is not None
        }
    return numbers


def moments_by_band(moments: BandMoments, bands: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return band -> `mean`, `std`, `min` and `max`, in plain numbers."""
    columns = zip(moments.mean, moments.std, moments.minimum, moments.maximum, strict=True)
    keys = ('mean', 'std', 'min', 'max')
    return {
        name: dict(zip(keys, map(float, column), strict=True))
        for name, column in zip(bands, columns, strict=True)
    }


def _row(anchors: anchor_room.Anchors, boxes_xyxy: np.ndarray, input_px: int) -> dict[str, Any]:
    """Return anchors and the share of boxes (N, 4), px of the detector's input, they reach."""
    return {
        'input_px': input_px,
        'octave_base_scale': anchors.octave_base_scale,
        'scales_per_octave': anchors.scales_per_octave,
        'ratios': list(anchors.ratios),
        'strides': list(anchors.strides),
        'recall_at_iou_50': anchor_room.recall(boxes_xyxy, anchors, (input_px, input_px)),
    }
