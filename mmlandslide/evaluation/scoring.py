"""Scores of a set of tiles, whatever framework or file the predictions come from.

For example, `evaluate([TileResult(...), ...], Rules(native_scale=128 / 224)).metrics['AP50']`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.matching import (
    ScoreCurve,
    best_index,
    false_alarms_per_empty_tile,
    score_curve,
)
from mmlandslide.evaluation.results import Rules, TileResult, check_set


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of a set of tiles.

    Attributes:
        metrics: name -> value, as `evaluate` describes them; NaN = not defined on this set.
        precision_at: IoU threshold (.5 and .75) -> COCO's precision at 101 recalls 0, .01 ... 1;
            (101,).
        curve: precision, recall and F1 at IoU .5 against the score threshold.
    """

    metrics: dict[str, float]
    precision_at: dict[float, NDArray[np.float64]]
    curve: ScoreCurve


def evaluate(
    tiles: Sequence[TileResult], rules: Rules | None = None, num_classes: int = 1
) -> Evaluation:
    """Score tiles. Their order does not matter, and no prediction is dropped for a low score.

    The metrics, in this order:

    - `AP`: COCO's average precision, the mean over classes and `rules.iou_thrs`. `AP50`, `AP75`: at
      one IoU, whatever `rules.iou_thrs` says. `AP30` and the like: at each requested IoU that is
      not one of COCO's.
    - `AP_lt8px`, `AP_8to16px`, `AP_16to32px`, `AP_ge32px`: AP of boxes by native size sqrt(width *
      height). As in COCO, true boxes of other sizes, predictions that match them, and unmatched
      predictions of other sizes count neither for nor against.
    - `AR100`: COCO's average recall with at most `rules.recall_max_dets` predictions a tile and
      class.
    - `precision`, `recall`, `F1`: at IoU .5, classes pooled, of the predictions with a score of at
      least `score_thr`.
    - `score_thr`: the score threshold where F1 is highest on this very set, so that these four are
      what the detector can reach, not an estimate for new tiles.
    - `fp_per_empty_tile`: predictions with a score of at least `score_thr` on tiles without truth,
      per such tile.

    NaN stands for what the set does not define. Without true boxes: every AP, AR, recall, F1 and
    the threshold (of one size bin: its AP). Without predictions: precision and the threshold.
    Without empty tiles, or where predictions but no threshold exist: `fp_per_empty_tile`.

    Args:
        tiles: one result a tile, ids unique.
        rules: COCO's and the size bins of `Rules` where not given.
        num_classes: number of classes, at least 1.

    Returns:
        The scores and the curves behind them.

    Raises:
        DatasetError: a tile twice, or a label that is no class.
    """
    rules = rules or Rules()
    check_set(tiles, num_classes)
    coco = average_precision(tiles, rules, num_classes)
    curve = score_curve(tiles)
    return Evaluation({**coco.metrics, **_operating_point(tiles, curve)}, coco.precision_at, curve)


def _operating_point(tiles: Sequence[TileResult], curve: ScoreCurve) -> dict[str, float]:
    """Return precision, recall, F1, and false positives per negative tile, at the best F1."""
    best, unknown = best_index(curve), float('nan')
    if best is not None:
        score_thr = float(curve.score_thrs[best])
        alarms = false_alarms_per_empty_tile(tiles, score_thr)
        precision, recall, f1 = (
            float(values[best]) for values in (curve.precision, curve.recall, curve.f1)
        )
        return {
            'precision': precision,
            'recall': recall,
            'F1': f1,
            'score_thr': score_thr,
            'fp_per_empty_tile': alarms,
        }
    missed_all = 0.0 if any(len(tile.true_labels) for tile in tiles) else unknown
    alarms = unknown if curve.score_thrs.size else false_alarms_per_empty_tile(tiles, float('-inf'))
    return {
        'precision': unknown,
        'recall': missed_all,
        'F1': missed_all,
        'score_thr': unknown,
        'fp_per_empty_tile': alarms,
    }
