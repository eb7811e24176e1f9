"""Scores by area on the ground: false alarms on landslide-free ground, pixel scores of boxes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.results import Rules, TileResult

_KM2 = 1e6


def box_mask(boxes_xyxy: NDArray[np.floating], tile_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the union of boxes as a mask.

    Args:
        boxes_xyxy: (N, 4), half-open pixel corners; rounded to whole pixels.
        tile_hw: height and width of the mask.

    Returns:
        (height, width) bool, True inside a box.
    """
    mask = np.zeros(tile_hw, np.bool_)
    for left, top, right, bottom in np.rint(boxes_xyxy).astype(int).clip(0):
        mask[top:bottom, left:right] = True
    return mask


def free_ground_km2(tiles: Sequence[TileResult], rules: Rules) -> float:
    """Return the landslide-free area of a set in km^2: its tiles without their true boxes.

    NaN where the size of a tile is not known.
    """
    if any(tile.tile_hw is None for tile in tiles):
        return float('nan')
    free_px = sum(
        int((~box_mask(tile.true_boxes_xyxy, tile.tile_hw)).sum())
        for tile in tiles
        if tile.tile_hw is not None
    )
    return float(free_px * rules.px_m**2 / _KM2)


def false_alarm_scores(tiles: Sequence[TileResult]) -> NDArray[np.float64]:
    """Return the scores of the predictions that share no area with any true box, ascending.

    A box that meets a landslide leads a user to it, however badly it fits; it is no false alarm.
    """
    scores = [tile.scores[~_meets_truth(tile)] for tile in tiles]
    return np.sort(np.concatenate([np.zeros(0), *scores]).astype(np.float64))


def false_alarms_per_100km2(
    tiles: Sequence[TileResult], score_thrs: NDArray[np.floating], rules: Rules
) -> NDArray[np.float64]:
    """Return false alarms per 100 km^2 of landslide-free ground at each score threshold.

    Args:
        tiles: the evaluated set.
        score_thrs: (S,); a prediction counts from its score on downwards.
        rules: for the side of a pixel on the ground.

    Returns:
        (S,); NaN where the set has no landslide-free ground, or the size of a tile is not known.
    """
    area_km2 = free_ground_km2(tiles, rules)
    alarms = false_alarm_scores(tiles)
    counts = alarms.size - np.searchsorted(alarms, score_thrs, side='left')
    return 100 * counts / (area_km2 if area_km2 > 0 else np.nan)


def pixel_scores(tiles: Sequence[TileResult], score_thr: float) -> dict[str, float]:
    """Compare the area of predicted boxes with the landslide masks, pixel by pixel.

    Boxes are not outlines: even true boxes reach no F1 of 1. It says how box areas compare with
    segmentation, whose scores are published by pixel.

    Args:
        tiles: the evaluated set; those without a mask are left out.
        score_thr: smallest score of a box that counts; NaN for none.

    Returns:
        `pixel_F1`, `pixel_IoU` and `pixel_MCC` (Matthews correlation coefficient), pixels of all
        tiles pooled; NaN without masks, or where the counts define none.
    """
    counts = np.zeros(4)  # true positives, false positives, false negatives, true negatives
    for tile in tiles:
        if tile.true_mask is not None:
            true = tile.true_mask
            found = box_mask(tile.boxes_xyxy[tile.scores >= score_thr], true.shape)
            counts += [(found & true).sum(), (found & ~true).sum(), (~found & true).sum(), 0]
            counts[3] += (~found & ~true).sum()
    hit, false, missed, clear = counts.tolist()
    margins = (hit + false) * (hit + missed) * (clear + false) * (clear + missed)
    return {
        'pixel_F1': _ratio(2 * hit, 2 * hit + false + missed),
        'pixel_IoU': _ratio(hit, hit + false + missed),
        'pixel_MCC': _ratio(hit * clear - false * missed, margins**0.5),
    }


def _meets_truth(tile: TileResult) -> NDArray[np.bool_]:
    a, b = tile.boxes_xyxy[:, None], tile.true_boxes_xyxy[None]
    inner_wh = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return (inner_wh > 0).all(axis=-1).any(axis=-1)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float('nan')
