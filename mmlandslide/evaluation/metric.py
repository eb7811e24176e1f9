"""Metric of a detector in MMDetection's test loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.calibration import calibrated, calibration_of
from mmlandslide.evaluation.calibration.block_expectation import (
    block_coverage,
    blocks_model_of,
    blocks_of,
)
from mmlandslide.evaluation.calibration.fitting import require_unseen
from mmlandslide.evaluation.calibration.reliability import reliability
from mmlandslide.evaluation.matching import hits
from mmlandslide.evaluation.plots import save_plots
from mmlandslide.evaluation.results import Rules, TileResult, told_apart
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.files import write_json
from mmlandslide.registry import METRICS

_TRUTH_KEYS = ('img_id', 'ori_shape', 'native_boxes_xyxy', 'native_labels')


@METRICS.register_module()
class LandslideMetric(BaseMetric):
    """COCO's average precision and what else a landslide user reads; writes `metrics.json`.

    Of each data sample it reads `pred_instances` (`bboxes` (N, 4) xyxy in the tile's own pixel
    frame, `scores` (N,), `labels` (N,)) and the meta keys `img_id`, `ori_shape` (height, width),
    `native_boxes_xyxy` (M, 4) and `native_labels` (M,). The keys it returns are those that
    `mmlandslide.evaluation.scoring.evaluate` describes. What the set does not define (the AP of a
    size bin without true boxes, say) is `float('nan')` in the returned dict and `null` in the file.

    Args:
        iou_thrs: IoU thresholds that AP, the APs by size and AR average over; `None` = COCO's
            .50:.05:.95. One that is not COCO's also gets a key of its own (`AP30`).
        native_scale: native px per px of the tile, for the size bins; 128/224 for tiles that were
            enlarged from 128 to 224 px.
        size_edges_px: edges of the size bins, native px.
        max_dets: most predictions per tile and class that the APs look at.
        recall_max_dets: the same for AR, and the number in its key.
        out_dir: where the files go; `None` = `work_dir`, which the runner sets; nothing is written
            where that is `None` too.
        gsd_m: ground sampling distance, m per native px, for what is in metres and km^2.
        centre_m: greatest distance of centres, m, of a hit in `AP_centre30m`, and the number in its
            key.
        ignore_border: boxes that a tile's border cuts count neither for nor against, see `Rules`.
        calibrated: score probabilities, by the calibration that the tested checkpoint carries (see
            `mmlandslide calibrate`), in the place of the detector's scores.
        plots: whether `pr_curve.png`, `f1_confidence.png`, `reliability.png`, `frequency_area.png`
            and `false_alarms.png` are written beside `metrics.json`.
        save_predictions: whether `predictions.json` is, with every box of every tile.
        prefix: put before each key, with a slash, in what the training loop sees; the file keeps
            the plain keys.

    Raises:
        ConfigError: an option that has no meaning.
    """

    default_prefix = ''  # None would warn, on each start, that keys are plain

    def __init__(
        self,
        iou_thrs: Sequence[float] | None = None,
        native_scale: float = 1.0,
        size_edges_px: Sequence[float] = (8, 16, 32),
        max_dets: int = 100,
        recall_max_dets: int = 100,
        gsd_m: float = 10.0,
        centre_m: float = 30.0,
        ignore_border: bool = False,
        calibrated: bool = False,
        out_dir: str | Path | None = None,
        plots: bool = True,
        save_predictions: bool = False,
        prefix: str | None = None,
    ) -> None:
        # 'gpu' means over the process group, gloo on CPUs; 'cpu' goes through pickles in a folder
        # that all machines must share.
        super().__init__(collect_device='gpu', prefix=prefix)
        edges, limits = size_edges_px, (max_dets, recall_max_dets)
        self.rules = Rules(iou_thrs, native_scale, edges, *limits, gsd_m, centre_m, ignore_border)
        self.calibrated = calibrated
        self.record: Mapping[str, Any] = {}
        self.dataset: Any = None
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.work_dir: Path | None = None
        self.plots = plots
        self.save_predictions = save_predictions

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep predictions and truth of a batch as small arrays.

        Args:
            data_batch: not used.
            data_samples: the model's outputs as dicts, with the keys that the class names.

        Raises:
            ConfigError: a key is missing.
            TileError: a box or score that is not finite.
        """
        self.results.extend(_tile_result(sample) for sample in data_samples)

    def compute_metrics(self, results: list[TileResult]) -> dict[str, float]:
        """Score the gathered results, each tile once (`results.told_apart`), and write the files.

        Args:
            results: of all processes.

        Returns:
            Name -> value, NaN where not defined.

        Raises:
            DatasetError: a label that is no class of the dataset.
        """
        tiles = told_apart(results)
        tiles = [replace(tile, true_mask=self._mask(tile)) for tile in tiles]
        calibration = self._calibration(tiles) if self.calibrated else None
        probable = tiles if calibration is None else [_probable(t, calibration) for t in tiles]
        classes = (self.dataset_meta or {}).get('classes', ('landslide',))
        evaluation = evaluate(probable, self.rules, num_classes=len(classes))
        out_dir = self.out_dir or self.work_dir
        if out_dir is not None:
            write_json(Path(out_dir) / 'metrics.json', evaluation.metrics)
            details = {'rules': vars(self.rules), **evaluation.details()}
            details |= (
                {}
                if calibration is None
                else _calibrated_details(tiles, probable, calibration, self.rules)
            )
            write_json(Path(out_dir) / 'evaluation.json', details)
            if self.plots:
                save_plots(evaluation, out_dir)
            if self.save_predictions:
                rows = [_as_json(*pair) for pair in zip(probable, tiles, strict=True)]
                write_json(Path(out_dir) / 'predictions.json', rows)
        return evaluation.metrics

    def prepare_test(self, dataset: Any, record: Mapping[str, Any]) -> None:
        """Take what the runner knows of a test.

        Args:
            dataset: that is tested; where it has a `store`, its masks are scored by pixel.
            record: what the tested checkpoint states of itself.
        """
        self.dataset, self.record = dataset, record

    def _mask(self, tile: TileResult) -> NDArray[np.bool_] | None:
        store = getattr(self.dataset, 'store', None)
        mask = None if store is None else store.mask(tile.tile_id)
        return None if mask is None or mask.shape != tile.tile_hw else mask != 0

    def _calibration(self, tiles: Sequence[TileResult]) -> dict[str, Any]:
        """Return the calibration of the checkpoint.

        Raises:
            ConfigError: it carries none.
            SplitOverlapError: it was fitted on a tile that is scored.
        """
        found = calibration_of(self.record)
        if found is None:
            remedy = 'Fit one with `mmlandslide calibrate`, or leave calibrated out'
            raise ConfigError.mismatch(
                'tested checkpoint', 'carry a calibration', 'none', 'its record', remedy
            )
        require_unseen(tiles, found.get('tile_ids', ()), 'the calibration', 'the test split')
        return found


def _probable(tile: TileResult, calibration: Mapping[str, Any]) -> TileResult:
    return replace(tile, scores=calibrated(tile.scores, calibration).astype(np.float32))


def _calibrated_details(
    tiles: Sequence[TileResult],
    probable: Sequence[TileResult],
    calibration: Mapping[str, Any],
    rules: Rules,
) -> dict[str, Any]:
    """Return the calibration, how reliable scores were before it, and how blocks are met."""
    scores = np.concatenate([np.zeros(0), *(tile.scores for tile in tiles)])
    hit = np.concatenate([np.zeros(0, np.bool_), *(hits(tile) for tile in tiles)])
    models = blocks_model_of(calibration)
    blocks = blocks_of(probable, rules)
    return {
        'calibration': {key: each for key, each in calibration.items() if key != 'tile_ids'},
        'reliability_before': reliability(scores, hit).as_dict(),
        'blocks': None if models is None else block_coverage(blocks, models),
    }


def _tile_result(sample: dict[str, Any]) -> TileResult:
    if not all(key in sample for key in _TRUTH_KEYS):
        remedy = f'Let its mmlandslide.PackDetection have meta_keys={_TRUTH_KEYS}'
        got = f'only {sorted(sample)}'
        raise ConfigError.mismatch(
            'a data sample', f'carry {list(_TRUTH_KEYS)}', got, 'the test pipeline', remedy
        )
    predicted = {
        name: value.detach().cpu().numpy() for name, value in sample['pred_instances'].items()
    }
    height, width = sample['ori_shape'][:2]
    return TileResult(
        tile_id=str(sample['img_id']),
        boxes_xyxy=predicted['bboxes'].astype(np.float32),
        scores=predicted['scores'].astype(np.float32),
        labels=predicted['labels'].astype(np.int64),
        true_boxes_xyxy=np.asarray(sample['native_boxes_xyxy'], dtype=np.float32),
        true_labels=np.asarray(sample['native_labels'], dtype=np.int64),
        tile_hw=(int(height), int(width)),
        source=(str(sample.get('dataset', '')), str(sample.get('img_path', ''))),
    )


def _as_json(tile: TileResult, uncalibrated: TileResult) -> dict[str, Any]:
    own = {} if tile is uncalibrated else {'raw_scores': uncalibrated.scores}
    return {
        'img_id': tile.tile_id,
        'ori_shape': tile.tile_hw,
        'boxes_xyxy': tile.boxes_xyxy,
        'scores': tile.scores,
        'labels': tile.labels,
        'true_boxes_xyxy': tile.true_boxes_xyxy,
        'true_labels': tile.true_labels,
        **own,
    }
