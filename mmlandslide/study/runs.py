"""Finished trials: the files that their tests leave, read and checked."""

import json
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.datasets.l4s_grid import position_of, tile_number
from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.evaluation.bootstrap import L4S_BLOCKS, Grouping, draw, grouping_of
from mmlandslide.evaluation.results import TileResult, rules_beside, tile_result
from mmlandslide.study import statistics
from mmlandslide.study.trial import Stage, Trial

#: Scores that have intervals and verdicts.
RESAMPLED = ('AP50', 'AP')
_SAME = 1e-9
#: What reading a file raises that no test wrote.
_UNREADABLE = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Run:
    """One finished trial, or its part on one scene.

    Attributes:
        seed: of the detector.
        metrics: of `metrics.json`; `None` = not defined.
        tiles: scored tiles with predictions and truth.
        matched: detections of the tiles.
        grouping: of the tiles, for intervals.
        placed: whether the tiles are Landslide4Sense training tiles, whose scenes are known.
        details: of `evaluation.json`; empty where a test left none.
    """

    seed: int
    metrics: dict[str, float | None]
    tiles: tuple[TileResult, ...]
    matched: statistics.Matched
    grouping: Grouping
    placed: bool
    details: dict[str, Any]

    def resampled(self, draw_seed: int = 0) -> dict[str, NDArray[np.float64]]:
        """Return score -> its value on each resample; equal sets have the same resamples.

        Args:
            draw_seed: another gives resamples that are independent of these.
        """
        if draw_seed not in self._drawn:
            counts = draw(self.grouping, seed=draw_seed).counts
            self._drawn[draw_seed] = statistics.average_precisions(self.matched, counts)
        return self._drawn[draw_seed]

    @cached_property
    def _drawn(self) -> dict[int, dict[str, NDArray[np.float64]]]:
        return {}

    @cached_property
    def scenes(self) -> dict[str, 'Run']:
        """Scene of Landslide4Sense -> the part of the run on it; empty where none is known."""
        if not self.placed:
            return {}
        scene = np.array([position_of(tile_number(name)).scene for name in self.matched.tile_ids])
        return {str(name): self._part(scene == name) for name in np.unique(scene)}

    def _part(self, kept: NDArray[np.bool_]) -> 'Run':
        matched = statistics.restricted(self.matched, kept)
        names = {*matched.tile_ids}
        found = statistics.average_precisions(matched, np.ones((1, len(names)), np.int64))
        values = {name: float(found[name][0]) for name in RESAMPLED}
        return replace(
            self,
            metrics={name: None if math.isnan(each) else each for name, each in values.items()},
            tiles=tuple(tile for tile in self.tiles if tile.tile_id in names),
            matched=matched,
            grouping=grouping_of(matched.tile_ids, L4S_BLOCKS),
        )


def read_run(trial: Trial, grouping: str | None) -> Run:
    """Read the files of a trial's test, and check that the detections give its score again.

    Args:
        trial: whose test is finished.
        grouping: of the protocol, see `bootstrap.grouping_of`.

    Raises:
        ConfigError: files that no metric of mmlandslide wrote, or a score that is not COCO's.
        LandslideError: as `bootstrap.grouping_of`.
    """
    metrics, predictions = (_json(trial.test, name) for name in trial.test.leaves)
    details = 'evaluation.json'
    whole = (trial.test.work_dir / details).is_file()
    try:
        tiles = tuple(tile_result(each) for each in predictions)
        matched = statistics.match(tiles)
        found = statistics.average_precisions(
            matched, np.ones((1, len(matched.tile_ids)), np.int64)
        )
        stated = np.array(
            [math.nan if metrics[name] is None else metrics[name] for name in RESAMPLED], float
        )
        told = _json(trial.test, details) if whole else {}
        rules_beside(trial.test.work_dir / trial.test.leaves[1])
    except _UNREADABLE as error:
        raise _unreadable(trial.test, error) from error
    again = [float(found[name][0]) for name in RESAMPLED]
    if not np.allclose(stated, again, rtol=0, atol=_SAME, equal_nan=True):
        subject, where = f'{RESAMPLED} in metrics.json', trial.test.work_dir
        got = f'{stated.tolist()} against {again} from predictions.json'
        remedy = 'Leave iou_thrs and max_dets of the evaluator as they are'
        raise ConfigError.mismatch(subject, "be COCO's", got, where, remedy)
    groups = grouping_of(matched.tile_ids, grouping)
    return Run(
        trial.seed,
        metrics,
        tiles,
        matched,
        groups,
        grouping == L4S_BLOCKS and groups.known,
        told,
    )


def _json(stage: Stage, name: str) -> Any:
    try:
        return json.loads((stage.work_dir / name).read_text(encoding='utf-8'))
    except _UNREADABLE as error:
        raise _unreadable(stage, error) from error


def _unreadable(stage: Stage, error: Exception) -> LandslideError:
    got, remedy = f'{type(error).__name__} {str(error)!r}', 'Delete the folder'
    expected = 'be those that LandslideMetric writes'
    return ConfigError.mismatch('files of a test', expected, got, stage.work_dir, remedy)
