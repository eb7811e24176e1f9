"""From the files that a study's tests leave to `results.json`: scores, intervals and verdicts."""

import json
import math
import statistics as plain
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.evaluation.results import tile_result
from mmlandslide.study import statistics
from mmlandslide.study.environment import environment
from mmlandslide.study.execute import Record, finished
from mmlandslide.study.plan import Axes, Cell, Plan, Stage

SCHEMA = 1
RESAMPLES = 1000
#: Scores that have intervals and verdicts.
RESAMPLED = ('AP50', 'AP')
_SAME = 1e-9
NOT_MEASURED = 'not measured'


@dataclass(frozen=True, eq=False)
class Run:
    """One finished cell.

    Attributes:
        seed: of the detector.
        metrics: what `metrics.json` says; `None` = not defined.
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
    """Return what a study has found so far, in the types of JSON.

    Args:
        plan: of the study.
        records: stage name -> what became of it.

    Raises:
        DatasetError: a claim compares cells that were scored on other tiles.
    """
    runs, broken = _read_runs(plan)
    grouped = {axes: list(cells) for axes, cells in groupby(plan.cells, key=lambda cell: cell.axes)}
    done = {axes: [runs[cell] for cell in cells if cell in runs] for axes, cells in grouped.items()}
    return {
        'schema': SCHEMA,
        'name': plan.specification.name,
        'revisions': _noted(plan, records, 'revision', ', '),
        'machines': _noted(plan, records, 'machine', '; '),
        'environment': environment(),
        'bootstrap': {'resamples': RESAMPLES, 'over': ['tiles', 'seeds'], 'level': 0.95},
        'cells': [
            _cell(axes, cells, done[axes], records, broken) for axes, cells in grouped.items()
        ],
        'differences': [
            _difference(axes, axes.moved(claim.over), done, plan.specification.name)
            for claim in plan.specification.compare
            for axes in grouped
            if axes.matches(claim.of) and axes.moved(claim.over) in grouped
        ],
    }


def _read_runs(plan: Plan) -> tuple[dict[Cell, Run], dict[Cell, str]]:
    """Return what can be read of the finished cells, and why the others cannot.

    One of them does not take the rest along.
    """
    runs: dict[Cell, Run] = {}
    broken: dict[Cell, str] = {}
    for cell in plan.cells:
        if finished(cell.stages[-1]):
            try:
                runs[cell] = _run(cell)
            except LandslideError as error:
                broken[cell] = str(error)
    return runs, broken


def _noted(plan: Plan, records: Mapping[str, Record], key: str, between: str) -> list[str]:
    """Return what the records of the stages note, each text once."""
    texts = (getattr(records[name], key) for name in plan.stages if name in records)
    return sorted({part for text in texts for part in text.split(between)} - {''})


def _cell(
    axes: Axes,
    cells: Sequence[Cell],
    runs: Sequence[Run],
    records: Mapping[str, Record],
    broken: Mapping[Cell, str],
) -> dict[str, Any]:
    found = {run.seed: run for run in runs}
    return {
        **asdict(axes),
        'scored_tiles': len(runs[0].matched.tile_ids) if runs else None,
        'true_boxes': int(runs[0].matched.num_true.sum()) if runs else None,
        'scores': _scores(runs) if runs else {},
        'runs': [
            {
                'seed': cell.seed,
                **_outcome(cell, records, broken),
                'metrics': found[cell.seed].metrics if cell.seed in found else None,
                'steps': cell.stages[-2].steps,
                'commands': [stage.shown for stage in cell.stages],
            }
            for cell in cells
        ],
    }


def _outcome(
    cell: Cell, records: Mapping[str, Record], broken: Mapping[Cell, str]
) -> dict[str, str]:
    """Return status and error of a cell.

    Those of the first stage that did not end well, where it has no score.
    """
    if cell in broken:
        return {'status': 'failed', 'error': broken[cell]}
    for stage in cell.stages if not finished(cell.stages[-1]) else ():
        if not finished(stage):
            record = records.get(stage.name, Record())
            return {'status': record.status, 'error': record.error}
    return {'status': 'finished', 'error': ''}


def _scores(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return mean, spread (standard deviation, with two seeds or more) and, of some, the interval of each score."""
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
    axes: Axes, other: Axes, done: Mapping[Axes, Sequence[Run]], where: str
) -> dict[str, Any]:
    """Return the paired differences of two cells, over the seeds that both have."""
    both = sorted({run.seed for run in done[axes]} & {run.seed for run in done[other]})
    pair = [[run for run in done[each] if run.seed in both] for each in (axes, other)]
    if both:
        statistics.require_same_tiles([run.matched for runs in pair for run in runs], where)
    return {
        'of': asdict(axes),
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


def _run(cell: Cell) -> Run:
    """Read what a cell's test has left, and check that its score can be had again from its detections."""
    test = cell.stages[-1]
    metrics, predictions = (_json(test, name) for name in test.leaves)
    try:
        matched = statistics.match([tile_result(each) for each in predictions])
        found = statistics.average_precisions(
            matched, np.ones((1, len(matched.tile_ids)), np.int64)
        )
        said = [math.nan if metrics[name] is None else metrics[name] for name in RESAMPLED]
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(test, error) from error
    again = [float(found[name][0]) for name in RESAMPLED]
    if not np.allclose(said, again, rtol=0, atol=_SAME, equal_nan=True):
        got, remedy = (
            f'{said} against {again} from predictions.json',
            'Leave iou_thrs and max_dets of the evaluator as they are',
        )
        raise ConfigError.mismatch(
            f'{RESAMPLED} in metrics.json', "be COCO's", got, test.work_dir, remedy
        )
    return Run(cell.seed, metrics, matched)


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
