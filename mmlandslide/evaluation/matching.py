"""Matching of predictions with true boxes, and precision and recall against the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.results import TileResult


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """Precision, recall and F1 over the whole set if predictions of at least a score are kept.

    Classes pooled.

    Attributes:
        score_thrs: (S,) float64, the distinct scores of the set, falling.
        precision: (S,) float64.
        recall: (S,) float64, NaN where the set has no true box.
        f1: (S,) float64, NaN where the set has no true box.
    """

    score_thrs: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def box_iou(
    boxes_xyxy: NDArray[np.floating], others_xyxy: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the IoU of each box with each other box.

    Args:
        boxes_xyxy: (N, 4), half-open pixel corners.
        others_xyxy: (M, 4).

    Returns:
        (N, M) float64 in [0, 1]; 0 where both boxes are empty.
    """
    a, b = boxes_xyxy.astype(np.float64)[:, None], others_xyxy.astype(np.float64)[None]
    inner_wh = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])  # (N, M, 2)
    inner = inner_wh.clip(0).prod(axis=-1)
    union = (
        (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inner
    )
    return np.divide(inner, union, out=np.zeros_like(inner), where=union > 0)


def hits(tile: TileResult, iou_thr: float = 0.5) -> NDArray[np.bool_]:
    """Return which predictions of a tile hit a true box, matched as COCO matches them.

    From the highest score down, each prediction takes the true box of its class with the highest
    IoU among those not yet taken, if that IoU reaches the threshold. Each true box is taken once.

    Args:
        tile: predictions and truth.
        iou_thr: smallest IoU of a hit, in (0, 1].

    Returns:
        (N,) bool, True = hit, in the order of the predictions.
    """
    found = np.zeros(len(tile.scores), dtype=np.bool_)
    iou = box_iou(tile.boxes_xyxy, tile.true_boxes_xyxy)
    iou[tile.labels[:, None] != tile.true_labels[None]] = 0
    iou[iou < min(iou_thr, 1 - 1e-10)] = 0
    for index in np.argsort(-tile.scores.astype(np.float64), kind='stable'):
        if iou[index].any():
            taken = (
                iou.shape[1] - 1 - int(iou[index, ::-1].argmax())
            )  # the last of equal IoUs, as COCO
            found[index] = True
            iou[:, taken] = 0
    return found


def score_curve(tiles: Sequence[TileResult], iou_thr: float = 0.5) -> ScoreCurve:
    """Return precision, recall and F1 at each score threshold that makes a difference.

    Args:
        tiles: the evaluated set; all predictions count, however many a tile has.
        iou_thr: smallest IoU of a hit.

    Returns:
        The curve; of length 0 where nothing was predicted.
    """
    num_true = sum(len(tile.true_labels) for tile in tiles)
    scores = np.concatenate([np.zeros(0), *(tile.scores for tile in tiles)]).astype(np.float64)
    hit = np.concatenate([np.zeros(0, dtype=np.bool_), *(hits(tile, iou_thr) for tile in tiles)])
    order = np.argsort(-scores, kind='stable')
    scores, num_hits = scores[order], hit[order].cumsum()
    ends = np.flatnonzero(
        np.append(scores[1:] != scores[:-1], True)[: scores.size]
    )  # a threshold keeps all of equal score
    num_hits, num_kept = num_hits[ends].astype(np.float64), ends + 1.0
    unknown = np.full(ends.size, np.nan)
    return ScoreCurve(
        score_thrs=scores[ends],
        precision=num_hits / num_kept,
        recall=num_hits / num_true if num_true else unknown,
        f1=2 * num_hits / (num_kept + num_true) if num_true else unknown,
    )


def best_index(curve: ScoreCurve) -> int | None:
    """Return where F1 is highest (of equals, the highest threshold).

    `None` without predictions or without truth.
    """
    return int(np.argmax(curve.f1)) if curve.f1.size and not np.isnan(curve.f1).any() else None


def false_alarms_per_empty_tile(tiles: Sequence[TileResult], score_thr: float) -> float:
    """Return predictions of at least a score on tiles without any true box, per such tile.

    Args:
        tiles: the evaluated set.
        score_thr: smallest score of a prediction that counts.

    Returns:
        The number per tile; NaN where no tile is empty.
    """
    alarms = [
        int((tile.scores.astype(np.float64) >= score_thr).sum())
        for tile in tiles
        if not len(tile.true_labels)
    ]
    return float(np.mean(alarms)) if alarms else float('nan')
