"""Results of a study as text: the same in Markdown, in HTML and in figures."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from mmlandslide.study.results import NOT_MEASURED
from mmlandslide.study.runs import RESAMPLED
from mmlandslide.study.trial import FACTORS

#: Scores beside AP50 and AP -> head of their column.
MORE = {
    'AP25': 'AP25',
    'AP_centre30m': 'AP, centre within 30 m',
    'AP75': 'AP75',
    'AP_lt8px': 'AP < 8 px',
    'AP_8to16px': 'AP 8-16 px',
    'AP_16to32px': 'AP 16-32 px',
    'AP_ge32px': 'AP ≥ 32 px',
    'AR100': 'AR100',
    'precision': 'precision',
    'recall': 'recall',
    'F1': 'F1',
    'fp_per_empty_tile': 'false positives per negative image',
    'false_alarms_per_100km2': 'false alarms per 100 km²',
    'D_ECE': 'D-ECE',
}
DASH = '-'
#: Fewer seeds say nothing of how much one training differs from the next.
FEWEST_SEEDS = 3


class Score(NamedTuple):
    """A score as text; what it does not have is empty."""

    mean: str
    spread: str = ''
    interval: str = ''


def percent(fraction: float) -> str:
    """Return a share as text, such as `10 %` or `0.4 %`."""
    return f'{100 * fraction:g} %'


def level(factor: str, value: Any) -> str:
    """Return the level of a factor as text."""
    return f'{percent(value)} of labels' if factor == 'label_fraction' else str(value)


def condition_name(cell: Mapping[str, Any]) -> str:
    """Return a condition as text, such as `Swin-Tiny, MAE, study, 10 % of labels`."""
    return ', '.join(level(factor, cell[factor]) for factor in FACTORS)


def number(value: float | None, signed: bool = False) -> str:
    """Return a score as text: four places, no leading zero; a dash where it is not defined."""
    if value is None or math.isnan(value):
        return DASH
    text = f'{value:{"+" if signed else ""}.4f}'
    return text.replace('0.', '.', 1) if abs(value) < 1 else text


def interval(ends: Sequence[float | None]) -> str:
    """Return an interval as text."""
    return f'[{number(ends[0])}, {number(ends[1])}]'


def mean(cell: Mapping[str, Any], name: str) -> float | None:
    """Return a condition's mean over seeds; `None` where it has no such score."""
    return cell['scores'].get(name, {}).get('mean')


def score(cell: Mapping[str, Any], name: str) -> Score:
    """Return a condition's score as text.

    `not measured` without any run, a dash where its runs have no such score.
    """
    if not cell['scores']:
        return Score(NOT_MEASURED)
    found = cell['scores'].get(name, {})
    text = number(found.get('mean'))
    if text == DASH:
        return Score(DASH)
    spread, ends = found.get('std'), found.get('interval')
    return Score(
        text, '' if spread is None else f'± {number(spread)}', interval(ends) if ends else ''
    )


def cpu_hours(cell: Mapping[str, Any]) -> float | None:
    """Return the CPU-hours of a condition's trainings, the mean over its finished seeds.

    Pre-trainings count whole for each seed, although seeds may share them.

    Returns:
        `None` where no seed is finished, or where one has a training whose time was not noted.
    """
    seconds = [
        [stage.get('cpu_seconds') for stage in run['stages'] if stage['kind'] != 'test']
        for run in cell['runs']
        if run['status'] == 'finished'
    ]
    if not seconds or not all(map(all, seconds)):
        return None
    return fmean(sum(each) for each in seconds) / 3600


def hours(cell: Mapping[str, Any]) -> str:
    """Return the CPU-hours of a condition's trainings as text; a dash where they are not known."""
    found = cpu_hours(cell)
    return DASH if found is None else f'{found:.2f}'


def known_scores(cells: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return those of `MORE` that any condition has; older results have fewer."""
    known = {name for cell in cells for name in cell['scores']}
    return {name: head for name, head in MORE.items() if name in known}


def difference(each: Mapping[str, Any]) -> dict[str, Any]:
    """Return a difference with its `sides`, the factors that differ, and `place`, the others."""
    changed = [key for key in FACTORS if each['of'][key] != each['over'][key]]
    sides = [', '.join(level(key, each[side][key]) for key in changed) for side in ('of', 'over')]
    place = ', '.join(level(key, each['of'][key]) for key in FACTORS if key not in changed)
    return {**each, 'sides': sides, 'place': place}


def trained_on(results: Mapping[str, Any]) -> str:
    """Return the machines that trained, which need not be the one that writes."""
    return '; '.join(results.get('machines') or ['machines that were not noted'])


def caution(results: Mapping[str, Any]) -> str:
    """Return the limits of a study's verdicts in one sentence; nothing where it has none.

    Args:
        results: as `results.collect` returns them.
    """
    measured = [each for each in results['differences'] if _num_verdicts(each)]
    if not measured:
        return ''
    parts = [_seeds({len(each['seeds']) for each in measured})]
    shared = _num_shared(
        pretraining for each in measured for pretraining in _pretrainings(results['cells'], each)
    )
    if shared:
        each_one = (
            '1 pre-training is shared by all seeds'
            if shared == 1
            else f'{shared} pre-trainings are each shared by all seeds'
        )
        parts.append(f'{each_one}, so that no interval holds what another run of it would change')
    num_verdicts = sum(map(_num_verdicts, measured))
    parts += (
        [f'the {num_verdicts} verdicts are not corrected for being several']
        if num_verdicts > 1
        else []
    )
    return '; '.join(parts) + '.'


def _num_verdicts(each: Mapping[str, Any]) -> int:
    return sum(each[name]['verdict'] != NOT_MEASURED for name in RESAMPLED)


def _seeds(counts: set[int]) -> str:
    fewest, most = min(counts), max(counts)
    span = f'{fewest} to {most}' if fewest < most else str(most)
    rests = f'A verdict rests on {span} seed{"" if most == 1 else "s"}'
    few = (
        f', and with fewer than {FEWEST_SEEDS} it speaks of these very trainings, not of the method'
    )
    return rests + (few if fewest < FEWEST_SEEDS else '')


def _pretrainings(
    cells: Iterable[Mapping[str, Any]], each: Mapping[str, Any]
) -> Iterator[tuple[str, int]]:
    """Yield work dir and seed of each pre-training behind the runs that a difference compares."""
    sides = [[each[side][key] for key in FACTORS] for side in ('of', 'over')]
    compared = [cell for cell in cells if [cell[key] for key in FACTORS] in sides]
    for run in (run for cell in compared for run in cell['runs'] if run['seed'] in each['seeds']):
        for stage in run['stages']:
            if stage['kind'] == 'pretrain':
                yield stage['work_dir'], run['seed']


def _num_shared(pretrainings: Iterable[tuple[str, int]]) -> int:
    """Return how many pre-trainings serve more than one seed."""
    seeds: dict[str, set[int]] = {}
    for work_dir, seed in pretrainings:
        seeds.setdefault(work_dir, set()).add(seed)
    return sum(len(found) > 1 for found in seeds.values())
