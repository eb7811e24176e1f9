"""Detections of each run against the truth, and the curves over them; pure NumPy."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.matching import ScoreCurve, best_index, hits, score_curve
from mmlandslide.evaluation.results import Rules, TileResult, rules_beside, tile_result
from mmlandslide.evaluation.tile_metric import auroc


@dataclass(frozen=True, eq=False)
class TileOutcome:
    """Right and wrong detections of one tile, at one score threshold and IoU .5.

    Attributes:
        tile: predictions and truth.
        score_thr: predictions below it do not count.
        hits: predictions that hit a true box.
        false: predictions that hit none.
        missed: true boxes without a hit.
    """

    tile: TileResult
    score_thr: float
    hits: int
    false: int
    missed: int

    @property
    def f1(self) -> float:
        """F1 of the tile; NaN where it has neither truth nor predictions."""
        whole = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / whole if whole else math.nan

    @property
    def true(self) -> int:
        """True boxes."""
        return self.hits + self.missed


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """Detections of one run on its scored tiles.

    Attributes:
        seed: of the detector.
        tiles: predictions and truth of each.
        rules: by which they were scored.
    """

    seed: int
    tiles: tuple[TileResult, ...]
    rules: Rules = field(default_factory=Rules)

    @cached_property
    def curve(self) -> ScoreCurve:
        """Precision, recall and F1 at IoU .5 over the score threshold."""
        return score_curve(self.tiles)

    @cached_property
    def scores_and_hits(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Scores (N,) of all predictions, and whether each hits a true box at IoU .5."""
        scores = np.concatenate([np.zeros(0), *(tile.scores for tile in self.tiles)])
        return scores, np.concatenate([np.zeros(0, np.bool_), *map(hits, self.tiles)])

    @property
    def score_thr(self) -> float | None:
        """Threshold where F1 is highest on these tiles; `None` without truth or predictions."""
        best = best_index(self.curve)
        return None if best is None else float(self.curve.score_thrs[best])

    @cached_property
    def outcomes(self) -> tuple[TileOutcome, ...]:
        """Each tile at that threshold; where there is none, every prediction counts."""
        score_thr = -math.inf if self.score_thr is None else self.score_thr
        return tuple(outcome(tile, score_thr) for tile in self.tiles)


def read_outcome(seed: int, predictions_path: Path) -> RunOutcome:
    """Return the `predictions.json` of a test, which `results.collect` has checked.

    Args:
        seed: of the detector.
        predictions_path: of the file.
    """
    tiles = map(tile_result, json.loads(predictions_path.read_text(encoding='utf-8')))
    return RunOutcome(seed, tuple(tiles), rules_beside(predictions_path))


def outcome(tile: TileResult, score_thr: float) -> TileOutcome:
    """Return the outcome of a tile if predictions of at least a score are kept.

    Args:
        tile: predictions and truth.
        score_thr: smallest score that counts.
    """
    kept = tile.scores.astype(np.float64) >= score_thr
    # By descending score: no prediction below the threshold takes a box from one above it.
    hit = int(hits(tile)[kept].sum())
    return TileOutcome(tile, score_thr, hit, int(kept.sum()) - hit, len(tile.true_labels) - hit)


def confusion(outcomes: Sequence[TileOutcome]) -> dict[str, float]:
    """Return how many boxes and tiles are right and wrong.

    Args:
        outcomes: of all tiles of a set, at one threshold.

    Returns:
        Boxes: `hits`, `false`, `missed`. Tiles: `tiles_found` and `tiles_missed` hold a landslide
        and have a prediction or none; `empty_alarmed` and `empty_quiet` hold none. `auroc` of
        telling the two kinds of tiles apart by their highest score, NaN where all are of one kind.
    """
    holds = np.array([each.true > 0 for each in outcomes], np.bool_)
    alarmed = np.array([each.hits + each.false > 0 for each in outcomes], np.bool_)
    highest = np.array([each.tile.scores.max(initial=-np.inf) for each in outcomes], np.float64)
    return {
        **{
            name: sum(getattr(each, name) for each in outcomes)
            for name in ('hits', 'false', 'missed')
        },
        'tiles_found': int((holds & alarmed).sum()),
        'tiles_missed': int((holds & ~alarmed).sum()),
        'empty_alarmed': int((~holds & alarmed).sum()),
        'empty_quiet': int((~holds & ~alarmed).sum()),
        'auroc': auroc(holds.astype(np.int64), highest),
    }


def precision_at_recalls(curve: ScoreCurve) -> NDArray[np.float64]:
    """Return the precision at COCO's recall points: the highest at that recall or a higher one.

    Args:
        curve: of a set. Equal scores make one step of it, so that its mean is AP50 where scores
            differ.

    Returns:
        (101,) in the order of `RECALL_POINTS`; 0 at recalls that are not reached, NaN where
        predictions but no true box exist.
    """
    if np.isnan(curve.recall).any():
        return np.full(RECALL_POINTS.size, np.nan)
    envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return np.append(envelope, 0.0)[np.searchsorted(curve.recall, RECALL_POINTS, side='left')]


def f1_at(curve: ScoreCurve, score_thrs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 if predictions of at least a score are kept.

    Args:
        curve: of a set.
        score_thrs: (S,) thresholds.

    Returns:
        (S,); 0 above the highest score.
    """
    return np.append(curve.f1[::-1], 0.0)[
        np.searchsorted(curve.score_thrs[::-1], score_thrs, side='left')
    ]


def threshold_grid(curves: Iterable[ScoreCurve], points: int = 201) -> NDArray[np.float64]:
    """Return thresholds from 0 to 1, or over all scores where some lie outside.

    Args:
        curves: to be drawn over them.
        points: how many.
    """
    ends = [
        float(end) for curve in curves if curve.score_thrs.size for end in curve.score_thrs[[0, -1]]
    ]
    inside = all(0 <= end <= 1 for end in ends)
    return np.linspace(0.0, 1.0, points) if inside else np.linspace(min(ends), max(ends), points)
