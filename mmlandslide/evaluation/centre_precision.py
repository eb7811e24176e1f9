"""Average precision by the distance of box centres, and COCO's interpolation for any matching."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.matching import HIT, IGNORED, match, num_counted, touches_border
from mmlandslide.evaluation.results import Rules, TileResult


def interpolated_precision(
    scores: NDArray[np.floating], outcome: NDArray[np.int8], num_true: int
) -> NDArray[np.float64]:
    """Return COCO's precision at `RECALL_POINTS` from predictions that are matched already.

    Args:
        scores: (N,) of all predictions of a set; ties stay in their order.
        outcome: (N,), see `matching.match`.
        num_true: true boxes that count.

    Returns:
        (101,); NaN without true boxes. Its mean is the average precision.
    """
    if not num_true:
        return np.full(RECALL_POINTS.size, np.nan)
    order = np.argsort(-scores.astype(np.float64), kind='stable')
    hit = outcome[order][outcome[order] != IGNORED] == HIT
    precision = hit.cumsum() / np.arange(1, hit.size + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return envelope[np.searchsorted(hit.cumsum() / num_true, RECALL_POINTS, side='left')]


def centre_average_precision(tiles: Sequence[TileResult], rules: Rules, num_classes: int) -> float:
    """Return the average precision when centres at most `rules.centre_m` apart make a hit.

    Small boxes shift by a large part of themselves where digitising errs by a pixel, and lose their
    IoU; their centres stay near. Matching and interpolation as in COCO, nearest centre first.

    Args:
        tiles: with unique ids.
        rules: see `Rules`.
        num_classes: number of classes, at least 1.

    Returns:
        Mean over the classes that have true boxes; NaN where there is none.
    """
    ordered = sorted(tiles, key=lambda tile: tile.tile_id)
    found = []
    for label in range(num_classes):
        each = [of_class(tile, label, rules.max_dets) for tile in ordered]
        outcomes = [_centre_outcomes(tile, rules) for tile in each]
        scores = np.concatenate([np.zeros(0), *(tile.scores for tile in each)])
        outcome = np.concatenate([np.zeros(0, np.int8), *outcomes])
        num_true = num_counted(each, rules.ignore_border)
        if num_true:
            found.append(interpolated_precision(scores, outcome, num_true).mean())
    return float(np.mean(found)) if found else float('nan')


def of_class(tile: TileResult, label: int, max_dets: int | None = None) -> TileResult:
    """Return a tile with the boxes of one class, predictions by descending score.

    Args:
        tile: predictions and truth.
        label: position of the class.
        max_dets: most predictions that are kept; `None` for all.
    """
    order = np.argsort(-tile.scores.astype(np.float64), kind='stable')
    order, true = order[tile.labels[order] == label][:max_dets], tile.true_labels == label
    return replace(
        tile,
        boxes_xyxy=tile.boxes_xyxy[order],
        scores=tile.scores[order],
        labels=tile.labels[order],
        true_boxes_xyxy=tile.true_boxes_xyxy[true],
        true_labels=tile.true_labels[true],
    )


def _centre_outcomes(tile: TileResult, rules: Rules) -> NDArray[np.int8]:
    predicted, true = (
        (boxes[:, :2].astype(np.float64) + boxes[:, 2:]) / 2
        for boxes in (tile.boxes_xyxy, tile.true_boxes_xyxy)
    )
    apart_m = np.linalg.norm(predicted[:, None] - true[None], axis=2) * rules.px_m  # (N, M)
    nearness = (1 - apart_m / (2 * rules.centre_m)).clip(0)  # 1 at the centre, 1/2 at the limit
    borders = (
        touches_border(boxes, tile.tile_hw) if rules.ignore_border and tile.tile_hw else None
        for boxes in (tile.true_boxes_xyxy, tile.boxes_xyxy)
    )
    return match(tile.scores, nearness, 0.5 - 1e-12, *borders)
