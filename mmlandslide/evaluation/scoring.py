"""Scores of a set of tiles, whatever framework or file the predictions come from.

For example, `evaluate([TileResult(...), ...], Rules(native_scale=128 / 224)).metrics['AP50']`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.box_areas import false_alarms_per_100km2, pixel_scores
from mmlandslide.evaluation.calibration.reliability import Reliability, reliability
from mmlandslide.evaluation.centre_precision import centre_average_precision
from mmlandslide.evaluation.frequency_area import FrequencyArea, compared
from mmlandslide.evaluation.matching import (
    ScoreCurve,
    best_index,
    false_alarms_per_empty_tile,
    hits,
    score_curve,
    touches_border,
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
        false_alarms: per 100 km^2 of landslide-free ground at each threshold of the curve, (S,).
        reliability: scores against the share of hits at IoU .5.
        frequency_area: of `truth` and of `prediction` at `score_thr`.
    """

    metrics: dict[str, float]
    precision_at: dict[float, NDArray[np.float64]]
    curve: ScoreCurve
    false_alarms: NDArray[np.float64]
    reliability: Reliability
    frequency_area: dict[str, FrequencyArea]

    def details(self, max_points: int = 500) -> dict[str, object]:
        """Return what is behind the metrics, for JSON.

        Args:
            max_points: most points of the curve that are kept, evenly over its thresholds.
        """
        size = self.curve.score_thrs.size
        kept = np.unique(np.linspace(0, size - 1, min(size, max_points)).astype(int))
        curve = {name: values[kept] for name, values in vars(self.curve).items()}
        return {
            'curve': {**curve, 'false_alarms_per_100km2': self.false_alarms[kept]},
            'reliability': self.reliability.as_dict(),
            'frequency_area': {name: each.as_dict() for name, each in self.frequency_area.items()},
        }


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
    - `fp_per_empty_tile`: false positives per negative image: predictions with a score of at least
      `score_thr` on tiles without truth, per such tile.
    - `AP25`: at IoU .25. `AP_centre30m`: hits are boxes whose centres lie at most `rules.centre_m`
      apart. `AP_border`, `AP50_border`: of the boxes that the border of a tile cuts, the others
      counting as those of other sizes do above; `border_fraction`: their share.
    - `false_alarms_per_100km2`: predictions with a score of at least `score_thr` that share no area
      with any true box, per 100 km^2 of ground outside true boxes.
    - `D_ECE`: detection expected calibration error, see `reliability`.
    - `pixel_F1`, `pixel_IoU`, `pixel_MCC`: of the area of boxes from `score_thr` on against the
      masks, of the tiles that have one.

    `docs/metrics.md` has the formulas.

    NaN stands for what the set does not define. Without true boxes: every AP, AR, recall, F1 and
    the threshold (of one size bin: its AP). Without predictions: precision and the threshold.
    Without empty tiles, or where predictions but no threshold exist: `fp_per_empty_tile`. Where the
    size of a tile is not known: what is by area or border. Without masks: what is by pixel.

    Args:
        tiles: one result a tile, ids unique.
        rules: COCO's and the size bins of `Rules` where not given.
        num_classes: number of classes, at least 1.

    Returns:
        The scores and the curves behind them.

    Raises:
        DatasetError: a tile twice, a label that is no class, or a tile of unknown size where the
            border is to be ignored.
    """
    rules = rules or Rules()
    check_set(tiles, num_classes, rules)
    coco = average_precision(tiles, rules, num_classes)
    curve = score_curve(tiles, ignore_border=rules.ignore_border)
    operating = _operating_point(tiles, curve)
    score_thr = operating['score_thr']
    scores = np.concatenate([np.zeros(0), *(tile.scores for tile in tiles)])
    hit = np.concatenate([np.zeros(0, np.bool_), *(hits(tile) for tile in tiles)])
    reliable = reliability(scores, hit)
    metrics = {
        **coco.metrics,
        **operating,
        rules.centre_key: centre_average_precision(tiles, rules, num_classes),
        'border_fraction': border_fraction(tiles),
        'false_alarms_per_100km2': _at(score_thr, tiles, rules),
        'D_ECE': reliable.d_ece,
        **pixel_scores(tiles, score_thr),
    }
    alarms = false_alarms_per_100km2(tiles, curve.score_thrs, rules)
    areas = compared(tiles, rules, score_thr)
    return Evaluation(metrics, coco.precision_at, curve, alarms, reliable, areas)


def border_fraction(tiles: Sequence[TileResult]) -> float:
    """Return the share of true boxes that touch their tile's border; NaN without such boxes."""
    cut = [
        touches_border(tile.true_boxes_xyxy, tile.tile_hw)
        for tile in tiles
        if tile.tile_hw is not None
    ]
    found = np.concatenate([np.zeros(0, np.bool_), *cut])
    return float(found.mean()) if found.size else float('nan')


def _at(score_thr: float, tiles: Sequence[TileResult], rules: Rules) -> float:
    if np.isnan(score_thr):
        return float('nan')
    return float(false_alarms_per_100km2(tiles, np.array([score_thr]), rules)[0])


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
