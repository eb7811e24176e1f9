"""COCO's average precision and recall, through faster-coco-eval (equal to pycocotools)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from mmlandslide.evaluation.results import COCO_IOU_THRS, Rules, TileResult

_LOGGER = logging.getLogger(__name__)

#: Recall points at which COCO reads the precision, with the last bits of pycocotools' own.
RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class CocoScores:
    """Scores in COCO's sense.

    Attributes:
        metrics: `AP`, `AP50`, `AP75`, one for each requested threshold that is not COCO's, one per
            size bin, and AR. Means over classes; NaN where the set (or the bin) has no true box.
        precision_at: IoU threshold (.5 and .75) -> precision at `RECALL_POINTS`, (101,), mean over
            classes, NaN without truth.
    """

    metrics: dict[str, float]
    precision_at: dict[float, NDArray[np.float64]]


def average_precision(tiles: Sequence[TileResult], rules: Rules, num_classes: int) -> CocoScores:
    """Score tiles as COCO does.

    The result does not depend on the order of the tiles: where scores tie over tiles, which COCO
    breaks by image order, the order of the tile ids decides. Predictions of one tile that tie stay
    in their own order.

    Args:
        tiles: with unique ids.
        rules: see `Rules`.
        num_classes: number of classes, at least 1.

    Returns:
        The scores.
    """
    thrs = np.union1d(rules.averaged_thrs, COCO_IOU_THRS[[0, 5]])  # .5 and .75 are always reported
    precision, recall = _run_coco(tiles, rules, num_classes, thrs)
    averaged = np.isin(thrs, rules.averaged_thrs)
    at_50, at_75 = (int(np.flatnonzero(thrs == thr)[0]) for thr in COCO_IOU_THRS[[0, 5]])

    # precision is (IoU thresholds, recall points, classes, 1 + size bins, detection limits)
    metrics = {'AP': _mean(precision[averaged, :, :, 0])}
    metrics |= {'AP50': _mean(precision[at_50, :, :, 0]), 'AP75': _mean(precision[at_75, :, :, 0])}
    for index in np.flatnonzero(averaged & ~np.isin(thrs, COCO_IOU_THRS)):
        metrics[f'AP{100 * thrs[index]:g}'] = _mean(precision[index, :, :, 0])
    for position, name in enumerate(rules.size_bins, start=1):
        metrics[f'AP_{name}'] = _mean(precision[averaged, :, :, position])
    metrics[f'AR{rules.recall_max_dets}'] = _mean(recall[averaged, :, 0])
    return CocoScores(
        metrics,
        {
            0.5: _over_classes(precision[at_50, :, :, 0]),
            0.75: _over_classes(precision[at_75, :, :, 0]),
        },
    )


def _run_coco(
    tiles: Sequence[TileResult], rules: Rules, num_classes: int, thrs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision (T, 101, K, A) under `max_dets` and recall (T, K, A) under its own limit.

    -1 without truth.
    """
    if not tiles:
        areas = 1 + len(rules.size_bins)
        return np.full((thrs.size, RECALL_POINTS.size, num_classes, areas), -1.0), np.full(
            (thrs.size, num_classes, areas), -1.0
        )
    ordered = sorted(tiles, key=lambda tile: tile.tile_id)
    limits = sorted({rules.max_dets, rules.recall_max_dets})
    coco = COCOeval_faster(
        _coco(ordered, _true_rows(ordered, rules), num_classes),
        _coco(ordered, _predicted_rows(ordered, rules), num_classes),
        'bbox',
        print_function=_LOGGER.debug,
    )
    bins = rules.size_bins
    coco.params.iouThrs, coco.params.recThrs, coco.params.maxDets = thrs, RECALL_POINTS, limits
    coco.params.areaRng = [[0.0, float('inf')], *map(list, bins.values())]
    coco.params.areaRngLbl = ['all', *bins]
    coco.evaluate()
    coco.accumulate()
    precision, recall = np.asarray(coco.eval['precision']), np.asarray(coco.eval['recall'])
    return precision[..., limits.index(rules.max_dets)], recall[
        ..., limits.index(rules.recall_max_dets)
    ]


def _coco(tiles: Sequence[TileResult], rows: Iterator[dict[str, Any]], num_classes: int) -> COCO:
    images = [{'id': number} for number in range(1, len(tiles) + 1)]
    categories = [{'id': label, 'name': str(label)} for label in range(num_classes)]
    # Ids count from 1: COCO's matching reads an id of 0 as `not matched`.
    annotations = [dict(row, id=number) for number, row in enumerate(rows, start=1)]
    data = {'images': images, 'categories': categories, 'annotations': annotations}
    return COCO(data, print_function=_LOGGER.debug)


def _true_rows(tiles: Sequence[TileResult], rules: Rules) -> Iterator[dict[str, Any]]:
    for number, tile in enumerate(tiles, start=1):
        yield from _rows(number, tile.true_boxes_xyxy, tile.true_labels, rules)


def _predicted_rows(tiles: Sequence[TileResult], rules: Rules) -> Iterator[dict[str, Any]]:
    for number, tile in enumerate(tiles, start=1):
        rows = _rows(number, tile.boxes_xyxy, tile.labels, rules)
        for row, score in zip(rows, tile.scores.astype(np.float64).tolist(), strict=True):
            yield dict(row, score=score)


def _rows(
    number: int, boxes_xyxy: NDArray[np.floating], labels: NDArray[np.integer], rules: Rules
) -> Iterator[dict[str, Any]]:
    xyxy = boxes_xyxy.astype(np.float64)
    wh = xyxy[:, 2:] - xyxy[:, :2]
    areas = native_areas(xyxy, rules.native_scale)
    for label, xywh, area in zip(
        labels.tolist(), np.hstack([xyxy[:, :2], wh]).tolist(), areas.tolist(), strict=True
    ):
        yield {'image_id': number, 'category_id': label, 'bbox': xywh, 'area': area, 'iscrowd': 0}


def native_areas(boxes_xyxy: NDArray[np.floating], native_scale: float) -> NDArray[np.float64]:
    """Return box areas in native px^2, (N,), to a thousandth.

    14 px at 224 px are 8 px at 128 px, and (14 * 128 / 224)^2 must then be 64, not one float below
    it. A thousandth also covers what float32 corners lose (about 2 * 8 px * 8e-6 px).
    """
    wh = boxes_xyxy[:, 2:].astype(np.float64) - boxes_xyxy[:, :2]
    return np.round(wh.prod(axis=1) * native_scale**2, 3)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean over the classes that have truth; COCO marks the others by -1."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float('nan')


def _over_classes(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (101,) from (101, K)."""
    known = (precision > -1).any(axis=0)
    return precision[:, known].mean(axis=1) if known.any() else np.full(len(precision), np.nan)
