"""Scores, intervals and verdicts of a study, from the files that its tests leave."""

import json
import math
import statistics as plain
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.evaluation.results import tile_result
from mmlandslide.study import statistics
from mmlandslide.study.environment import environment
from mmlandslide.study.execute import Record, finished
from mmlandslide.study.plan import Plan
from mmlandslide.study.trial import Condition, Stage, Trial

SCHEMA = 2
RESAMPLES = 1000
#: Scores that have intervals and verdicts.
RESAMPLED = ('AP50', 'AP')
_SAME = 1e-9
NOT_MEASURED = 'not measured'


@dataclass(frozen=True, eq=False)
class Run:
    """One finished trial.

    Attributes:
        seed: of the detector.
        metrics: of `metrics.json`; `None` = not defined.
        matched: its detections.
    """

    seed: int
    metrics: dict[str, float | None]
    matched: statistics.Matched

    @cached_property
    def resampled(self) -> dict[str, NDArray[np.float64]]:
        """Score -> its value on each resample.

        Those of equally many tiles are the same resamples.
        """
        draws = statistics.draw(len(self.matched.tile_ids), 1, RESAMPLES)
        return statistics.average_precisions(self.matched, draws.counts)


def collect(plan: Plan, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the results of a study so far, in the types of JSON.

    Args:
        plan: of the study.
        records: stage name -> what became of it.

    Raises:
        DatasetError: a claim compares conditions that were scored on other tiles.
    """
    runs, broken = _read_runs(plan)
    done = {
        condition: [runs[trial] for trial in trials if trial in runs]
        for condition, trials in plan.conditions.items()
    }
    return {
        'schema': SCHEMA,
        'name': plan.specification.name,
        'revisions': _noted(plan, records, 'revision', ', '),
        'machines': _noted(plan, records, 'machine', '; '),
        'environment': environment(),
        'bootstrap': {'resamples': RESAMPLES, 'over': ['tiles', 'seeds'], 'level': 0.95},
        'cells': [
            _cell(condition, trials, done[condition], records, broken)
            for condition, trials in plan.conditions.items()
        ],
        'differences': [
            _difference(condition, condition.changed(claim.over), done, plan.specification.name)
            for claim in plan.specification.compare
            for condition in done
            if condition.matches(claim.of) and condition.changed(claim.over) in done
        ],
    }


def _read_runs(plan: Plan) -> tuple[dict[Trial, Run], dict[Trial, str]]:
    """Return the finished trials, and the errors of those whose files are broken."""
    runs: dict[Trial, Run] = {}
    broken: dict[Trial, str] = {}
    for trial in plan.trials:
        if finished(trial.test):
            try:
                runs[trial] = _run(trial)
            except LandslideError as error:
                broken[trial] = str(error)
    return runs, broken


def _noted(plan: Plan, records: Mapping[str, Record], key: str, between: str) -> list[str]:
    """Return what the records of the stages note, each text once."""
    texts = (getattr(records[name], key) for name in plan.stages if name in records)
    return sorted({part for text in texts for part in text.split(between)} - {''})


def _cell(
    condition: Condition,
    trials: Sequence[Trial],
    runs: Sequence[Run],
    records: Mapping[str, Record],
    broken: Mapping[Trial, str],
) -> dict[str, Any]:
    found = {run.seed: run for run in runs}
    return {
        **asdict(condition),
        'scored_tiles': len(runs[0].matched.tile_ids) if runs else None,
        'true_boxes': int(runs[0].matched.num_true.sum()) if runs else None,
        'scores': _scores(runs) if runs else {},
        'runs': [
            {
                'seed': trial.seed,
                **_outcome(trial, records, broken),
                'metrics': found[trial.seed].metrics if trial.seed in found else None,
                'steps': trial.training.steps,
                'stages': [_stage(stage) for stage in trial.stages],
            }
            for trial in trials
        ],
    }


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        'kind': stage.kind,
        'host': stage.host,
        'config': stage.config,
        'checkpoint': None if stage.checkpoint is None else str(stage.checkpoint),
        'work_dir': str(stage.work_dir),
        'options': dict(stage.options),
        'command': stage.shown,
    }


def _outcome(
    trial: Trial, records: Mapping[str, Record], broken: Mapping[Trial, str]
) -> dict[str, str]:
    """Return status and error of a trial: without a score, those of its first unfinished stage."""
    if trial in broken:
        return {'status': 'failed', 'error': broken[trial]}
    for stage in trial.stages if not finished(trial.test) else ():
        if not finished(stage):
            record = records.get(stage.name, Record())
            return {'status': record.status, 'error': record.error}
    return {'status': 'finished', 'error': ''}


def _scores(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return mean and standard deviation over seeds of each score, and the interval of some."""
    scores: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        values = [run.metrics.get(name) for run in runs]
        known = [value for value in values if value is not None]
        mean = plain.fmean(known) if known else None
        scores[name] = {
            'mean': mean,
            'std': plain.stdev(known) if len(known) > 1 else None,
            'seeds': len(known),
        }
    for name in RESAMPLED:
        defined = scores[name]['mean'] is not None
        scores[name]['interval'] = (
            list(statistics.interval(_means(runs, name))) if defined else None
        )
    return scores


def _means(runs: Sequence[Run], name: str) -> NDArray[np.float64]:
    draws = statistics.draw(len(runs[0].matched.tile_ids), len(runs), RESAMPLES)
    return statistics.resampled_means(np.stack([run.resampled[name] for run in runs]), draws)


def _difference(
    condition: Condition, other: Condition, done: Mapping[Condition, Sequence[Run]], where: str
) -> dict[str, Any]:
    """Return the paired differences of two conditions, over the seeds that both have."""
    both = sorted({run.seed for run in done[condition]} & {run.seed for run in done[other]})
    pair = [[run for run in done[each] if run.seed in both] for each in (condition, other)]
    if both:
        statistics.require_same_tiles([run.matched for runs in pair for run in runs], where)
    return {
        'of': asdict(condition),
        'over': asdict(other),
        'seeds': both,
        **{
            name: _verdict(pair[0], pair[1], name) if both else {'verdict': NOT_MEASURED}
            for name in RESAMPLED
        },
    }


def _verdict(runs: Sequence[Run], others: Sequence[Run], name: str) -> dict[str, Any]:
    values = [[run.metrics[name] for run in side] for side in (runs, others)]
    known = [[value for value in side if value is not None] for side in values]
    if known != values:  # tiles without a true box
        return {'verdict': NOT_MEASURED}
    differences = _means(runs, name) - _means(others, name)
    means = [plain.fmean(side) for side in known]
    return {
        'difference': means[0] - means[1],
        'interval': list(statistics.interval(differences)),
        'verdict': statistics.verdict(differences),
    }


def _run(trial: Trial) -> Run:
    """Read the files of a trial's test, and check that the detections give its score again."""
    metrics, predictions = (_json(trial.test, name) for name in trial.test.leaves)
    try:
        matched = statistics.match([tile_result(each) for each in predictions])
        found = statistics.average_precisions(
            matched, np.ones((1, len(matched.tile_ids)), np.int64)
        )
        stated = [math.nan if metrics[name] is None else metrics[name] for name in RESAMPLED]
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(trial.test, error) from error
    again = [float(found[name][0]) for name in RESAMPLED]
    if not np.allclose(stated, again, rtol=0, atol=_SAME, equal_nan=True):
        subject, where = f'{RESAMPLED} in metrics.json', trial.test.work_dir
        got = f'{stated} against {again} from predictions.json'
        remedy = 'Leave iou_thrs and max_dets of the evaluator as they are'
        raise ConfigError.mismatch(subject, "be COCO's", got, where, remedy)
    return Run(trial.seed, metrics, matched)


def _json(stage: Stage, name: str) -> Any:
    try:
        return json.loads((stage.work_dir / name).read_text(encoding='utf-8'))
    except ValueError as error:
        raise _unreadable(stage, error) from error


def _unreadable(stage: Stage, error: Exception) -> LandslideError:
    got = f'{type(error).__name__} {str(error)!r}'
    return ConfigError.mismatch(
        'files of a test',
        'be those that LandslideMetric writes',
        got,
        stage.work_dir,
        'Delete the folder',
    )
