"""Scores, intervals and verdicts of a study, from the files that its tests leave."""

import statistics as plain
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import LandslideError
from mmlandslide.evaluation.bootstrap import RESAMPLES, draw, interval
from mmlandslide.study import statistics
from mmlandslide.study.environment import environment
from mmlandslide.study.inputs.state_file import Record
from mmlandslide.study.plan import Plan
from mmlandslide.study.protocols import protocol_facts
from mmlandslide.study.runs import RESAMPLED, Run, read_run
from mmlandslide.study.trial import Condition, Stage, Trial

SCHEMA = 2
NOT_MEASURED = 'not measured'


def collect(plan: Plan, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the results of a study so far, in the types of JSON.

    Args:
        plan: of the study.
        records: stage name -> what became of it.

    Raises:
        DatasetError: a claim within a protocol compares conditions scored on other tiles.
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
        'bootstrap': {'resamples': RESAMPLES, 'over': ['groups of tiles', 'seeds'], 'level': 0.95},
        'protocols': protocol_facts(plan, done),
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
        if trial.test.finished:
            try:
                protocol = plan.specification.protocols[trial.condition.protocol]
                runs[trial] = read_run(trial, protocol.grouping)
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
        'scenes': _scenes(runs),
        'runs': [
            {
                'seed': trial.seed,
                **_outcome(trial, records, broken),
                'metrics': found[trial.seed].metrics if trial.seed in found else None,
                'steps': trial.training.steps,
                'stages': [_stage(stage, records) for stage in trial.stages],
            }
            for trial in trials
        ],
    }


def _stage(stage: Stage, records: Mapping[str, Record]) -> dict[str, Any]:
    record = records.get(stage.name, Record())
    return {
        'kind': stage.kind,
        'host': stage.host,
        'config': stage.config,
        'checkpoint': None if stage.checkpoint is None else str(stage.checkpoint),
        'work_dir': str(stage.work_dir),
        'options': dict(stage.options),
        'command': stage.shown,
        'cpu_seconds': record.cpu_seconds or None,
    }


def _outcome(
    trial: Trial, records: Mapping[str, Record], broken: Mapping[Trial, str]
) -> dict[str, str]:
    """Return status and error of a trial: without a score, those of its first unfinished stage."""
    if trial in broken:
        return {'status': 'failed', 'error': broken[trial]}
    for stage in trial.stages if not trial.test.finished else ():
        if not stage.finished:
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
        scores[name]['interval'] = list(interval(_means(runs, name))) if defined else None
    return scores


def _scenes(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return the scores of each scene; empty where the scenes of the tiles are not known."""
    return {
        name: {
            'scored_tiles': len(part.matched.tile_ids),
            'true_boxes': int(part.matched.num_true.sum()),
            **part.grouping.as_dict(),
            'scores': _scores([run.scenes[name] for run in runs]),
        }
        for name, part in (runs[0].scenes if runs else {}).items()
    }


def _means(runs: Sequence[Run], name: str, draw_seed: int = 0) -> NDArray[np.float64]:
    """Return a score's mean over the drawn seeds of each resample."""
    draws = draw(runs[0].grouping, len(runs), seed=draw_seed)
    values = np.stack([run.resampled(draw_seed)[name] for run in runs])
    return statistics.resampled_means(values, draws)


def _difference(
    condition: Condition, other: Condition, done: Mapping[Condition, Sequence[Run]], where: str
) -> dict[str, Any]:
    """Return the differences of two conditions, over the seeds that both have.

    Within a protocol they are paired, on the same resamples. Between protocols the tiles are
    others, and so are the resamples; the scenes that both score are compared one by one too.
    """
    both = sorted({run.seed for run in done[condition]} & {run.seed for run in done[other]})
    pair = [[run for run in done[each] if run.seed in both] for each in (condition, other)]
    paired = condition.protocol == other.protocol
    if both and paired:
        statistics.require_same_tiles([run.matched for runs in pair for run in runs], where)
    shared = [] if paired or not both else [*pair[0][0].scenes]
    return {
        'of': asdict(condition),
        'over': asdict(other),
        'seeds': both,
        'paired': paired,
        **_verdicts(pair[0], pair[1], paired),
        'scenes': {
            name: _verdicts(*_on_scene(pair, name), paired)
            for name in shared
            if name in pair[1][0].scenes
        },
    }


def _on_scene(pair: Sequence[Sequence[Run]], name: str) -> tuple[list[Run], list[Run]]:
    of, over = ([run.scenes[name] for run in runs] for runs in pair)
    return of, over


def _verdicts(runs: Sequence[Run], others: Sequence[Run], paired: bool) -> dict[str, Any]:
    return {name: _verdict(runs, others, name, paired) for name in RESAMPLED}


def _verdict(runs: Sequence[Run], others: Sequence[Run], name: str, paired: bool) -> dict[str, Any]:
    values = [[run.metrics[name] for run in side] for side in (runs, others)]
    known = [[value for value in side if value is not None] for side in values]
    if known != values or not runs:  # tiles without a true box, or no seed that both have
        return {'verdict': NOT_MEASURED}
    differences = _means(runs, name) - _means(others, name, draw_seed=0 if paired else 1)
    means = [plain.fmean(side) for side in known]
    return {
        'difference': means[0] - means[1],
        'interval': list(interval(differences)),
        'verdict': statistics.verdict(differences),
    }
