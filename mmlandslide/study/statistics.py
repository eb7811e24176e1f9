"""Average precision of resampled tiles and seeds, and verdicts on differences; pure NumPy.

Groups of tiles are resampled (`evaluation.bootstrap`), not boxes, for boxes of one tile stand or
fall together. Each tile is matched once; a resample only changes how often a tile counts, so that
one takes a cumulative sum instead of an evaluation.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import DatasetError
from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.bootstrap import Draws, interval
from mmlandslide.evaluation.matching import hits
from mmlandslide.evaluation.results import COCO_IOU_THRS, TileResult

#: Of COCO, and of the configs' metric.
MAX_DETS = 100
BETTER, WORSE, UNCLEAR = 'better', 'worse', 'not distinguishable'
_ROWS = 50  # resamples at once: 50 rows of 30 000 detections are 12 MB


@dataclass(frozen=True, eq=False)
class Matched:
    """The detections of one model on a set of tiles, matched with the truth, of one class.

    Attributes:
        tile_ids: of the set, in order, T of them.
        tile: (D,) int, position of the tile of each detection; by descending score, ties by
            tile, as COCO has them.
        hit: (10, D) bool, whether a detection is a hit at each IoU of COCO's.
        num_true: (T,) int, true boxes of each tile.
        truth: digest of the true boxes.
    """

    tile_ids: tuple[str, ...]
    tile: NDArray[np.int64]
    hit: NDArray[np.bool_]
    num_true: NDArray[np.int64]
    truth: str


def match(tiles: Sequence[TileResult]) -> Matched:
    """Match each tile's detections with its truth, once.

    Args:
        tiles: with unique ids; all labels are taken for one class, as all our data have one.

    Returns:
        The matches; at most `MAX_DETS` detections per tile, those of the highest scores.
    """
    ordered = [_highest(tile) for tile in sorted(tiles, key=lambda tile: tile.tile_id)]
    scores = np.concatenate([np.zeros(0), *(tile.scores.astype(np.float64) for tile in ordered)])
    tile = np.repeat(np.arange(len(ordered)), [len(each.scores) for each in ordered])
    hit = [
        np.concatenate([np.zeros(0, np.bool_), *(hits(each, thr) for each in ordered)])
        for thr in COCO_IOU_THRS
    ]
    order = np.argsort(-scores, kind='stable')
    num_true = np.array([len(each.true_labels) for each in ordered], np.int64)
    truth = hashlib.sha256(
        b''.join(each.true_boxes_xyxy.astype('<f4').tobytes() for each in ordered)
    ).hexdigest()
    return Matched(
        tuple(each.tile_id for each in ordered),
        tile[order],
        np.stack(hit)[:, order],
        num_true,
        truth,
    )


def restricted(matched: Matched, kept: NDArray[np.bool_]) -> Matched:
    """Return the detections of some of the tiles.

    Args:
        matched: of all tiles.
        kept: (T,) tiles to keep.
    """
    position = np.cumsum(kept) - 1  # of a kept tile among the kept ones
    detections = kept[matched.tile]
    return Matched(
        tuple(name for name, keep in zip(matched.tile_ids, kept, strict=True) if keep),
        position[matched.tile[detections]],
        matched.hit[:, detections],
        matched.num_true[kept],
        matched.truth,
    )


def _highest(tile: TileResult) -> TileResult:
    order = np.argsort(-tile.scores.astype(np.float64), kind='stable')[:MAX_DETS]
    return replace(
        tile,
        boxes_xyxy=tile.boxes_xyxy[order],
        scores=tile.scores[order],
        labels=tile.labels[order],
    )


def average_precisions(
    matched: Matched, counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return AP and AP50 of resampled sets, as COCO has them on sets with copies of tiles.

    Args:
        matched: of one model.
        counts: (R, T) int, how often each resample holds each tile; a row of ones is the set
            itself.

    Returns:
        `AP` and `AP50`, (R,) each; NaN where a resample holds no true box.
    """
    found = [
        _at_each_iou(matched, rows)
        for rows in np.array_split(counts, max(1, -(-len(counts) // _ROWS)))
    ]
    at_each = np.concatenate(found)  # (R, 10)
    return {'AP': at_each.mean(axis=1), 'AP50': at_each[:, 0]}


def _at_each_iou(matched: Matched, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the average precision of each resample at each IoU, (R, 10)."""
    num_true = counts @ matched.num_true  # (R,)
    weight = counts[:, matched.tile]  # (R, D)
    ranked = weight.cumsum(axis=1)
    found = np.empty((len(counts), len(matched.hit)))
    for column, hit in enumerate(matched.hit):
        places = np.flatnonzero(hit)  # the precision's envelope has its corners at hits
        num_hits = weight[:, places].cumsum(axis=1)
        precision = num_hits / (ranked[:, places] + np.spacing(1))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        found[:, column] = [
            _mean_precision(*row) for row in zip(num_hits, envelope, num_true, strict=True)
        ]
    return found


def _mean_precision(
    num_hits: NDArray[np.int64], envelope: NDArray[np.float64], num_true: int
) -> float:
    """Return the mean over COCO's recall points; a recall that is not reached has precision 0."""
    if num_true == 0:
        return float('nan')
    at = np.searchsorted(num_hits / num_true, RECALL_POINTS, side='left')
    return float(np.append(envelope, 0.0)[at].mean())


def resampled_means(values: NDArray[np.float64], draws: Draws) -> NDArray[np.float64]:
    """Return the mean over the drawn seeds of each resample.

    Args:
        values: (S, R), a score of each seed on each resample's tiles.
        draws: of R resamples and S seeds.

    Returns:
        (R,) float64.
    """
    return values[draws.seeds, np.arange(values.shape[1])[:, None]].mean(axis=1)


def verdict(differences: NDArray[np.float64]) -> str:
    """Return the verdict of a bootstrap.

    `better` or `worse` where the 95 % interval leaves out 0, else `not distinguishable`.

    Args:
        differences: (R,) of the first condition's resampled score over the second's, on the same
            resamples.
    """
    low, high = interval(differences)
    return BETTER if low > 0 else WORSE if high < 0 else UNCLEAR


def require_same_tiles(models: Sequence[Matched], where: object) -> None:
    """Refuse to pair models that were scored on other tiles, or against another truth.

    Args:
        models: to be compared.
        where: what was to compare them, for the error.

    Raises:
        DatasetError: they differ.
    """
    first = models[0]
    if all(_truth(each) == _truth(first) for each in models[1:]):
        return
    sizes = [f'{len(each.tile_ids)} tiles with {each.num_true.sum()} boxes' for each in models]
    remedy = 'Compare within one protocol'
    raise DatasetError.mismatch(
        'compared conditions', 'be scored on the same tiles and boxes', sizes, where, remedy
    )


def _truth(matched: Matched) -> tuple[object, ...]:
    return matched.tile_ids, matched.num_true.tolist(), matched.truth
