"""Detections and truth of one tile, and the rules by which they are scored."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError, DatasetError, TileError

#: IoU thresholds of COCO, with the last bits of pycocotools' own.
COCO_IOU_THRS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)


@dataclass(frozen=True, eq=False)
class TileResult:
    """Predicted and true boxes of one tile, in its own pixel frame (half-open pixel corners).

    Attributes:
        tile_id: unique in an evaluated set.
        boxes_xyxy: (N, 4) float, predicted.
        scores: (N,) float; any scale; higher = more confident.
        labels: (N,) int, class positions.
        true_boxes_xyxy: (M, 4) float.
        true_labels: (M,) int, class positions.
        tile_hw: height and width in px, where known; scores by area, and of boxes that a tile's
            border cuts, need it.
        true_mask: (height, width) bool, True = landslide, where the tile has a mask.
        source: name of the data and path of the file, where known: two data sets may use one id.

    Raises:
        TileError: arrays that do not fit each other, or a box or score that is not finite.
    """

    tile_id: str
    boxes_xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]
    labels: NDArray[np.integer]
    true_boxes_xyxy: NDArray[np.floating]
    true_labels: NDArray[np.integer]
    tile_hw: tuple[int, int] | None = None
    true_mask: NDArray[np.bool_] | None = None
    source: tuple[str, str] = ('', '')

    def __post_init__(self) -> None:
        """Refuse what would be scored wrongly in silence.

        An IoU with a NaN passes every threshold of pycocotools.
        """
        predicted, true = len(self.scores), len(self.true_labels)
        self._check_shape('boxes_xyxy', self.boxes_xyxy, (predicted, 4))
        self._check_shape('labels', self.labels, (predicted,))
        self._check_shape('true_boxes_xyxy', self.true_boxes_xyxy, (true, 4))
        for name, values in (
            ('boxes_xyxy', self.boxes_xyxy),
            ('scores', self.scores),
            ('true_boxes_xyxy', self.true_boxes_xyxy),
        ):
            if not np.isfinite(values).all():
                got, where = values[~np.isfinite(values)][0], f'tile {self.tile_id!r}'
                remedy = (
                    'Look for the step where the loss left the finite numbers; '
                    'a lower learning rate is the usual cure'
                )
                raise TileError.mismatch(name, 'be finite', got, where, remedy)

    def _check_shape(self, name: str, values: NDArray[np.generic], shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            remedy = 'Give one row a box, and an array of no rows where there is none'
            raise TileError.mismatch(
                name, f'have shape {shape}', values.shape, f'tile {self.tile_id!r}', remedy
            )


def tile_result(entry: Mapping[str, Any]) -> TileResult:
    """Return one tile's result from an entry of `predictions.json`, as `LandslideMetric` writes it.

    Args:
        entry: `img_id` and the arrays of `TileResult` as lists.

    Raises:
        KeyError, TypeError, ValueError: it is no such entry.
        TileError: as `TileResult`.
    """
    boxes, true_boxes = (
        np.asarray(entry[key], np.float32).reshape(-1, 4)
        for key in ('boxes_xyxy', 'true_boxes_xyxy')
    )
    labels, true_labels = (np.asarray(entry[key], np.int64) for key in ('labels', 'true_labels'))
    scores, tile_hw = np.asarray(entry['scores'], np.float32), entry.get('ori_shape')
    return TileResult(
        str(entry['img_id']),
        boxes,
        scores,
        labels,
        true_boxes,
        true_labels,
        None if tile_hw is None else (int(tile_hw[0]), int(tile_hw[1])),
    )


@dataclass(frozen=True)
class Rules:
    """How results are scored.

    Attributes:
        iou_thrs: thresholds that AP, the APs by size and AR average over; `None` = COCO's
            .50:.05:.95.
        native_scale: native px per px of the tile; 128/224 for tiles of 128 px that were enlarged
            to 224 px. Size bins, and what is in metres, use it.
        size_edges_px: edges of the size bins, in native px of sqrt(width * height); a box on an
            edge belongs to the bin above.
        max_dets: most predictions per tile and class, by score, that the APs look at.
        recall_max_dets: the same for AR.
        gsd_m: ground sampling distance, m per native px.
        centre_m: greatest distance of centres, m, at which a prediction counts as a hit in the AP
            by centre.
        ignore_border: true boxes that touch their tile's border, predictions that match them, and
            unmatched predictions that touch it count neither for nor against in any AP, nor in
            precision, recall and F1.

    Raises:
        ConfigError: a value that has no meaning.
    """

    iou_thrs: Sequence[float] | None = None
    native_scale: float = 1.0
    size_edges_px: Sequence[float] = (8, 16, 32)
    max_dets: int = 100
    recall_max_dets: int = 100
    gsd_m: float = 10.0
    centre_m: float = 30.0
    ignore_border: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        edges = list(self.size_edges_px)
        thrs = self.averaged_thrs
        rising = all(low < high for low, high in pairwise([0, *edges]))
        _require(
            thrs.size > 0 and bool(((thrs > 0) & (thrs <= 1)).all()),
            'iou_thrs',
            'be numbers in (0, 1]',
            self.iou_thrs,
        )
        _require(len(set(thrs)) == thrs.size, 'iou_thrs', 'name no threshold twice', self.iou_thrs)
        _require(self.native_scale > 0, 'native_scale', 'be positive', self.native_scale)
        _require(rising and bool(edges), 'size_edges_px', 'rise from above 0', edges)
        _require(self.max_dets > 0, 'max_dets', 'be at least 1', self.max_dets)
        _require(self.gsd_m > 0, 'gsd_m', 'be positive', self.gsd_m)
        _require(self.centre_m > 0, 'centre_m', 'be positive', self.centre_m)
        _require(self.recall_max_dets > 0, 'recall_max_dets', 'be at least 1', self.recall_max_dets)

    @property
    def px_m(self) -> float:
        """Side of a pixel of the tile, m."""
        return self.native_scale * self.gsd_m

    @property
    def centre_key(self) -> str:
        """Name of the AP by centre, such as `AP_centre30m`."""
        return f'AP_centre{self.centre_m:g}m'

    @property
    def averaged_thrs(self) -> NDArray[np.float64]:
        """IoU thresholds that are averaged over, (T,).

        One that is COCO's has the very bits of COCO's.
        """
        if self.iou_thrs is None:
            return COCO_IOU_THRS
        asked = np.asarray(self.iou_thrs, dtype=np.float64).reshape(-1)
        nearest = COCO_IOU_THRS[np.abs(asked[:, None] - COCO_IOU_THRS).argmin(axis=1)]
        return np.where(np.isclose(asked, nearest, rtol=0, atol=1e-9), nearest, asked)

    @property
    def size_bins(self) -> dict[str, tuple[float, float]]:
        """Name of each size bin -> its range of areas in native px^2, both ends included.

        COCO's evaluation includes both ends, so a box of exactly 8 px would count in two bins of
        shared ends; here each range ends one float below the next.
        """
        edges = list(self.size_edges_px)
        names = [
            f'lt{edges[0]:g}px',
            *(f'{low:g}to{high:g}px' for low, high in pairwise(edges)),
            f'ge{edges[-1]:g}px',
        ]
        starts = [0.0, *(float(edge) ** 2 for edge in edges)]
        ends = [*(float(np.nextafter(start, 0)) for start in starts[1:]), float('inf')]
        return dict(zip(names, zip(starts, ends, strict=True), strict=True))


def rules_beside(predictions_path: Path) -> Rules:
    """Return the rules by which a test has scored: the size of a pixel on the ground.

    Args:
        predictions_path: `predictions.json` of the test, with `evaluation.json` beside it; without
            that, or where it states no rules (written before 2026-11-28), the usual ones.
    """
    path = predictions_path.with_name('evaluation.json')
    stated = json.loads(path.read_text('utf-8')).get('rules', {}) if path.is_file() else {}
    stated = dict(stated)
    return Rules(**{name: stated[name] for name in ('native_scale', 'gsd_m') if name in stated})


def check_set(tiles: Sequence[TileResult], num_classes: int, rules: Rules | None = None) -> None:
    """Refuse a set that cannot be scored.

    Args:
        tiles: the evaluated set.
        num_classes: labels must lie below it; COCO's evaluation would drop others in silence.
        rules: see `Rules`.

    Raises:
        DatasetError: a tile twice, a label that is no class, or a tile of unknown size where the
            border is to be ignored.
    """
    unsized = next((tile.tile_id for tile in tiles if tile.tile_hw is None), None)
    if rules is not None and rules.ignore_border and unsized is not None:
        got, remedy = f'none for {unsized!r}', 'Give ori_shape, or leave ignore_border out'
        raise DatasetError.mismatch(
            'tiles', 'have a height and width', got, 'the evaluated set', remedy
        )
    seen: set[str] = set()
    for tile in tiles:
        if tile.tile_id in seen:
            remedy = 'Score each tile once'
            raise DatasetError.mismatch(
                'tile ids', 'be unique', f'{tile.tile_id!r} twice', 'the evaluated set', remedy
            )
        seen.add(tile.tile_id)
        labels = np.concatenate([tile.labels, tile.true_labels])
        strange = labels[(labels < 0) | (labels >= num_classes)]
        if strange.size:
            remedy = 'Let the model and the dataset have the same classes'
            raise DatasetError.mismatch(
                'labels', f'lie in [0, {num_classes})', strange[0], f'tile {tile.tile_id!r}', remedy
            )


def _require(holds: bool, name: str, expected: str, got: object) -> None:
    if not holds:
        raise ConfigError.mismatch(
            name, expected, got, 'the evaluation rules', 'Change it in the evaluator of the config'
        )


def told_apart(tiles: Iterable[TileResult]) -> list[TileResult]:
    """Return each tile once, in the order of the ids; an id that two files have is told apart.

    A distributed sampler repeats tiles so that all processes have the same number; the first result
    of a tile counts.

    Args:
        tiles: results of all processes, of one data set or several.
    """
    first: dict[tuple[str, str], TileResult] = {}
    for tile in tiles:
        first.setdefault((tile.tile_id, tile.source[1]), tile)
    files = Counter(tile_id for tile_id, _ in first)
    named = Counter((tile.tile_id, tile.source[0]) for tile in first.values())
    found = []
    for tile in first.values():
        name, path = tile.source
        if files[tile.tile_id] > 1:
            apart = name if name and named[tile.tile_id, name] == 1 else path
            tile = replace(tile, tile_id=f'{apart}:{tile.tile_id}')
        found.append(tile)
    return sorted(found, key=lambda tile: tile.tile_id)
