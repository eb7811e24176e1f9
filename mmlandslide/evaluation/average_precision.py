"""COCO's average precision and recall, through faster-coco-eval (equal to pycocotools)."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from mmlandslide.evaluation.matching import touches_border
from mmlandslide.evaluation.results import COCO_IOU_THRS, Rules, TileResult

_LOGGER = logging.getLogger(__name__)

#: Recall points at which COCO reads the precision, with the last bits of pycocotools' own.
RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)


#: Areas of boxes of a tile, (N,), by rules.
_Areas = Callable[[TileResult, NDArray[np.floating], Rules], NDArray[np.float64]]
#: IoU thresholds whose AP is reported whatever is averaged over.
_REPORTED_THRS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class CocoScores:
    """Scores in COCO's sense.

    Attributes:
        metrics: `AP`, `AP25`, `AP50`, `AP75`, one for each other requested threshold that is not
            COCO's, one per size bin, AR, and AP and AP50 of the boxes that a tile's border cuts.
            Means over classes; NaN where the set (or the bin) has no true box.
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
    thrs = np.union1d(rules.averaged_thrs, _REPORTED_THRS)
    ordered = sorted(tiles, key=lambda tile: tile.tile_id)
    ranges = [(0.0, float('inf')), *rules.size_bins.values()]
    areas = _native_areas_but_border if rules.ignore_border else _native_areas
    precision, recall = _run_coco(ordered, rules, num_classes, thrs, ranges, areas)
    averaged = np.isin(thrs, rules.averaged_thrs)
    at = {thr: int(np.flatnonzero(thrs == thr)[0]) for thr in _REPORTED_THRS}

    # precision is (IoU thresholds, recall points, classes, 1 + size bins)
    metrics = {'AP': _mean(precision[averaged, :, :, 0])}
    metrics |= {f'AP{100 * thr:g}': _mean(precision[at[thr], :, :, 0]) for thr in (0.5, 0.75)}
    for index in np.flatnonzero(averaged & ~np.isin(thrs, COCO_IOU_THRS)):
        metrics[f'AP{100 * thrs[index]:g}'] = _mean(precision[index, :, :, 0])
    for position, name in enumerate(rules.size_bins, start=1):
        metrics[f'AP_{name}'] = _mean(precision[averaged, :, :, position])
    metrics[f'AR{rules.recall_max_dets}'] = _mean(recall[averaged, :, 0])
    metrics['AP25'] = _mean(precision[at[0.25], :, :, 0])
    cut, _ = _run_coco(ordered, rules, num_classes, thrs, [(1.0, 1.0)], _one_at_border)
    metrics |= {'AP_border': _mean(cut[averaged]), 'AP50_border': _mean(cut[at[0.5]])}
    return CocoScores(
        metrics, {thr: _over_classes(precision[at[thr], :, :, 0]) for thr in (0.5, 0.75)}
    )


def _run_coco(
    tiles: Sequence[TileResult],
    rules: Rules,
    num_classes: int,
    thrs: NDArray[np.float64],
    ranges: Sequence[tuple[float, float]],
    areas: _Areas,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run COCO's evaluation on tiles in their order.

    A true box whose area lies outside a range, what matches it, and an unmatched prediction whose
    area does, count neither for nor against in that range.

    Args:
        tiles: in the order of their ids.
        rules: see `Rules`.
        num_classes: number of classes.
        thrs: (T,) IoU thresholds.
        ranges: A ranges of areas, both ends included.
        areas: gives the areas of boxes of a tile.

    Returns:
        Precision (T, 101, K, A) under `max_dets`, recall (T, K, A) under `recall_max_dets`; -1
        without truth.
    """
    shape = (thrs.size, num_classes, len(ranges))
    if not tiles:
        return np.full((thrs.size, RECALL_POINTS.size, *shape[1:]), -1.0), np.full(shape, -1.0)
    limits = sorted({rules.max_dets, rules.recall_max_dets})
    coco = COCOeval_faster(
        _coco(tiles, _true_rows(tiles, rules, areas), num_classes),
        _coco(tiles, _predicted_rows(tiles, rules, areas), num_classes),
        'bbox',
        print_function=_LOGGER.debug,
    )
    coco.params.iouThrs, coco.params.recThrs, coco.params.maxDets = thrs, RECALL_POINTS, limits
    coco.params.areaRng = [list(limits_px2) for limits_px2 in ranges]
    coco.params.areaRngLbl = [str(position) for position in range(len(ranges))]
    coco.evaluate()
    coco.accumulate()
    precision, recall = np.asarray(coco.eval['precision']), np.asarray(coco.eval['recall'])
    at_precision, at_recall = map(limits.index, (rules.max_dets, rules.recall_max_dets))
    return precision[..., at_precision], recall[..., at_recall]


def _coco(tiles: Sequence[TileResult], rows: Iterator[dict[str, Any]], num_classes: int) -> COCO:
    images = [{'id': number} for number in range(1, len(tiles) + 1)]
    categories = [{'id': label, 'name': str(label)} for label in range(num_classes)]
    # Ids count from 1: COCO's matching reads an id of 0 as `not matched`.
    annotations = [dict(row, id=number) for number, row in enumerate(rows, start=1)]
    data = {'images': images, 'categories': categories, 'annotations': annotations}
    return COCO(data, print_function=_LOGGER.debug)


def _true_rows(
    tiles: Sequence[TileResult], rules: Rules, areas: _Areas
) -> Iterator[dict[str, Any]]:
    for number, tile in enumerate(tiles, start=1):
        boxes = tile.true_boxes_xyxy
        yield from _rows(number, boxes, tile.true_labels, areas(tile, boxes, rules))


def _predicted_rows(
    tiles: Sequence[TileResult], rules: Rules, areas: _Areas
) -> Iterator[dict[str, Any]]:
    for number, tile in enumerate(tiles, start=1):
        boxes = tile.boxes_xyxy
        rows = _rows(number, boxes, tile.labels, areas(tile, boxes, rules))
        for row, score in zip(rows, tile.scores.astype(np.float64).tolist(), strict=True):
            yield dict(row, score=score)


def _rows(
    number: int,
    boxes_xyxy: NDArray[np.floating],
    labels: NDArray[np.integer],
    areas: NDArray[np.float64],
) -> Iterator[dict[str, Any]]:
    xyxy = boxes_xyxy.astype(np.float64)
    xywh = np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])
    for label, box, area in zip(labels.tolist(), xywh.tolist(), areas.tolist(), strict=True):
        yield {'image_id': number, 'category_id': label, 'bbox': box, 'area': area, 'iscrowd': 0}


def native_areas(boxes_xyxy: NDArray[np.floating], native_scale: float) -> NDArray[np.float64]:
    """Return box areas in native px^2, (N,), to a thousandth.

    14 px at 224 px are 8 px at 128 px, and (14 * 128 / 224)^2 must then be 64, not one float below
    it. A thousandth also covers what float32 corners lose (about 2 * 8 px * 8e-6 px).
    """
    wh = boxes_xyxy[:, 2:].astype(np.float64) - boxes_xyxy[:, :2]
    return np.round(wh.prod(axis=1) * native_scale**2, 3)


def _native_areas(
    tile: TileResult, boxes_xyxy: NDArray[np.floating], rules: Rules
) -> NDArray[np.float64]:
    return native_areas(boxes_xyxy, rules.native_scale)


def _native_areas_but_border(
    tile: TileResult, boxes_xyxy: NDArray[np.floating], rules: Rules
) -> NDArray[np.float64]:
    """Return -1, which no range of areas holds, for boxes at the border."""
    areas = native_areas(boxes_xyxy, rules.native_scale)
    return np.where(_one_at_border(tile, boxes_xyxy, rules) > 0, -1.0, areas)


def _one_at_border(
    tile: TileResult, boxes_xyxy: NDArray[np.floating], rules: Rules
) -> NDArray[np.float64]:
    """Return 1 for boxes that touch the border, else 0; 0 where the tile's size is not known."""
    if tile.tile_hw is None:
        return np.zeros(len(boxes_xyxy))
    return touches_border(boxes_xyxy, tile.tile_hw).astype(np.float64)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean over the classes that have truth; COCO marks the others by -1."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float('nan')


def _over_classes(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (101,) from (101, K)."""
    known = (precision > -1).any(axis=0)
    return precision[:, known].mean(axis=1) if known.any() else np.full(len(precision), np.nan)
