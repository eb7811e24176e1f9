"""Matching of predictions with true boxes, and precision and recall against the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.results import TileResult

#: What becomes of a prediction.
IGNORED, MISS, HIT = -1, 0, 1


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


def touches_border(
    boxes_xyxy: NDArray[np.floating], tile_hw: tuple[int, int], tolerance_px: float = 0.5
) -> NDArray[np.bool_]:
    """Return which boxes reach the border of their tile, where the object may go on.

    Args:
        boxes_xyxy: (N, 4), half-open pixel corners.
        tile_hw: height and width of the tile, px.
        tolerance_px: greatest distance of a side from the border.

    Returns:
        (N,) bool.
    """
    height, width = tile_hw
    inset = np.array([0, 0, -width, -height]) + boxes_xyxy.astype(np.float64)
    return np.asarray((inset * [1, 1, -1, -1] <= tolerance_px).any(axis=1))


def match(
    scores: NDArray[np.floating],
    similarity: NDArray[np.float64],
    least: float,
    ignored_true: NDArray[np.bool_] | None = None,
    ignored_predictions: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Return what becomes of each prediction of a tile, matched as COCO matches them.

    From the highest score down, each prediction takes the most similar true box among those not
    yet taken, if the similarity reaches a least one. Each true box is taken once. One that is
    ignored is taken only where no other can be.

    Args:
        scores: (N,) of the predictions.
        similarity: (N, M), such as the IoU; 0 where a pair cannot match.
        least: smallest similarity of a hit, above 0.
        ignored_true: (M,), true boxes that count neither for nor against; none where `None`.
        ignored_predictions: (N,), predictions that do not count where they match nothing.

    Returns:
        (N,), each `HIT`, `MISS` or `IGNORED`, in the order of the predictions.
    """
    num_predictions, num_true = similarity.shape
    free = np.where(similarity < least, 0, similarity)
    counted = np.ones(num_true, np.bool_) if ignored_true is None else ~ignored_true
    outcome = np.full(num_predictions, MISS, np.int8)
    if ignored_predictions is not None:
        outcome[ignored_predictions] = IGNORED
    for index in np.argsort(-scores.astype(np.float64), kind='stable'):
        if not free[index].any():
            continue
        wanted = free[index] * counted
        outcome[index] = HIT if wanted.any() else IGNORED
        wanted = wanted if wanted.any() else free[index]
        taken = num_true - 1 - int(wanted[::-1].argmax())  # the last of equal ones, as COCO
        free[:, taken] = 0
    return outcome


def iou_outcomes(
    tile: TileResult, iou_thr: float = 0.5, ignore_border: bool = False
) -> NDArray[np.int8]:
    """Return what becomes of each prediction of a tile by IoU and class.

    Args:
        tile: predictions and truth; with `tile_hw` where the border is ignored.
        iou_thr: smallest IoU of a hit, in (0, 1].
        ignore_border: true boxes that touch the tile's border, predictions that match them, and
            unmatched predictions that touch it count neither for nor against.

    Returns:
        (N,), as `match`.
    """
    iou = box_iou(tile.boxes_xyxy, tile.true_boxes_xyxy)
    iou[tile.labels[:, None] != tile.true_labels[None]] = 0
    least = min(iou_thr, 1 - 1e-10)
    if not ignore_border or tile.tile_hw is None:
        return match(tile.scores, iou, least)
    borders = (
        touches_border(boxes, tile.tile_hw) for boxes in (tile.true_boxes_xyxy, tile.boxes_xyxy)
    )
    return match(tile.scores, iou, least, *borders)


def hits(tile: TileResult, iou_thr: float = 0.5) -> NDArray[np.bool_]:
    """Return which predictions of a tile hit a true box, (N,) bool, see `iou_outcomes`."""
    return iou_outcomes(tile, iou_thr) == HIT


def score_curve(
    tiles: Sequence[TileResult], iou_thr: float = 0.5, ignore_border: bool = False
) -> ScoreCurve:
    """Return precision, recall and F1 at each score threshold that makes a difference.

    Args:
        tiles: the evaluated set; all predictions count, however many a tile has.
        iou_thr: smallest IoU of a hit.
        ignore_border: see `iou_outcomes`.

    Returns:
        The curve; of length 0 where nothing was predicted.
    """
    num_true = num_counted(tiles, ignore_border)
    outcomes = [iou_outcomes(tile, iou_thr, ignore_border) for tile in tiles]
    outcome = np.concatenate([np.zeros(0, np.int8), *outcomes])
    scores = np.concatenate([np.zeros(0), *(tile.scores for tile in tiles)]).astype(np.float64)
    order = np.argsort(-scores, kind='stable')
    order = order[outcome[order] != IGNORED]
    scores, num_hits = scores[order], (outcome[order] == HIT).cumsum()
    # A threshold keeps all predictions of equal score.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: scores.size])
    num_hits, num_kept = num_hits[ends].astype(np.float64), ends + 1.0
    unknown = np.full(ends.size, np.nan)
    return ScoreCurve(
        score_thrs=scores[ends],
        precision=num_hits / num_kept,
        recall=num_hits / num_true if num_true else unknown,
        f1=2 * num_hits / (num_kept + num_true) if num_true else unknown,
    )


def num_counted(tiles: Sequence[TileResult], ignore_border: bool = False) -> int:
    """Return the number of true boxes of a set, without those at the border where ignored."""
    if not ignore_border:
        return sum(len(tile.true_labels) for tile in tiles)
    return sum(
        int((~touches_border(tile.true_boxes_xyxy, tile.tile_hw)).sum())
        for tile in tiles
        if tile.tile_hw is not None
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
