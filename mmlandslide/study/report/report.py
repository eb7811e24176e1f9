"""The report of a study: one HTML page that needs no network, no script and no other file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mmlandslide.datasets.display import PREDICTION_RGB, TRUTH_RGB
from mmlandslide.errors import TileError
from mmlandslide.files import write_atomic
from mmlandslide.study.inputs.state_file import Record
from mmlandslide.study.plan import Plan
from mmlandslide.study.report import formatting, plots, protocol_text, tiles
from mmlandslide.study.report.curves import RunOutcome, confusion, read_outcome
from mmlandslide.study.report.reconstructions import reconstructions
from mmlandslide.study.report.tables import ORIGINAL, ORIGINAL_NOTE, ORIGINAL_PROTOCOL, original
from mmlandslide.study.results import NOT_MEASURED
from mmlandslide.study.runs import RESAMPLED
from mmlandslide.study.statistics import BETTER, UNCLEAR, WORSE
from mmlandslide.study.trial import FACTORS, Condition, Trial

_TEMPLATE = 'report.html.j2'
_CONFUSION = {
    'hits': 'true positives',
    'false': 'false positives',
    'missed': 'missed',
    'tiles_found': 'with landslide: found',
    'tiles_missed': 'with landslide: not found',
    'empty_alarmed': 'without: false alarm',
    'empty_quiet': 'without: no detection',
}


def write(
    plan: Plan, records: Mapping[str, Record], results: Mapping[str, Any], path: Path
) -> None:
    """Write the report of a study, however much of it is done.

    Args:
        plan: of the study.
        records: stage name -> what became of it.
        results: as `results.collect` returns them for both.
        path: of the page.

    Raises:
        OSError: the disk is full, or nobody may write there.
    """
    write_atomic(path, page(plan, records, results))


def renew_note(path: Path, results: Mapping[str, Any]) -> None:
    """State below the title of a written report how its scored tiles lie to its training tiles.

    For a report whose predictions are gone, which cannot be written anew.

    Args:
        path: of the page.
        results: of the study.
    """
    names = dict.fromkeys(cell['protocol'] for cell in results['cells'])
    lines = Markup('').join(
        Markup('<p class="split">Protocol {}. {}</p>').format(
            protocol_text.protocol_name(results, name), protocol_text.split_note(results, name)
        )
        for name in names
    )
    text = re.sub(r'<div id="splits">.*?</div>\n', '', path.read_text('utf-8'), flags=re.DOTALL)
    head, title, body = text.partition('</h1>\n')
    write_atomic(path, f'{head}{title}<div id="splits">{lines}</div>\n{body}')


def page(plan: Plan, records: Mapping[str, Record], results: Mapping[str, Any]) -> str:
    """Return the report of a study as HTML, see `write`."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        'number': formatting.number,
        'interval': formatting.interval,
        'percent': formatting.percent,
    }
    template = environment.from_string(
        resources.files(__package__).joinpath(_TEMPLATE).read_text('utf-8')
    )
    runs = _runs(plan, results)
    specification = plan.specification
    return template.render(
        results=results,
        specification=specification,
        protocols=[
            _protocol(place, name, runs, results, plan)
            for place, name in enumerate(dict.fromkeys(condition.protocol for condition in runs))
        ],
        losses=plots.losses(plan),
        pictures=_pictures(plan),
        differences=[formatting.difference(each) for each in results['differences']],
        caution=formatting.caution(results),
        trained_on=formatting.trained_on(results),
        troubles=[
            (cell, run)
            for cell in results['cells']
            for run in cell['runs']
            if run['status'] != 'finished'
        ],
        stages=[
            (stage, stage.finished, asdict(records.get(stage.name, Record())))
            for stage in plan.stages.values()
        ],
        originals=ORIGINAL,
        original=original,
        original_protocol=ORIGINAL_PROTOCOL,
        original_note=ORIGINAL_NOTE,
        resampled=RESAMPLED,
        score=formatting.score,
        hours=formatting.hours,
        mean=formatting.mean,
        more=formatting.known_scores(results['cells']),
        claim_note=lambda difference: protocol_text.claim_note(results, difference),
        confusion=_CONFUSION,
        kinds=tiles.KINDS,
        colors={'true': TRUTH_RGB, 'predicted': PREDICTION_RGB},
        not_measured=NOT_MEASURED,
        marks={BETTER: '▲', WORSE: '▼', UNCLEAR: '○'},
    )


def _runs(plan: Plan, results: Mapping[str, Any]) -> dict[Condition, list[RunOutcome]]:
    """Return the finished runs of each condition, those whose files `collect` could read."""
    read = {
        (*(cell[name] for name in FACTORS), run['seed'])
        for cell in results['cells']
        for run in cell['runs']
        if run['metrics'] is not None
    }
    return {
        condition: [
            _outcome(trial)
            for trial in trials
            if trial.test.finished
            and (*(getattr(condition, name) for name in FACTORS), trial.seed) in read
        ]
        for condition, trials in plan.conditions.items()
    }


def _outcome(trial: Trial) -> RunOutcome:
    return read_outcome(trial.seed, trial.test.work_dir / trial.test.leaves[1])


def _protocol(
    place: int, name: str, runs: plots.Runs, results: Mapping[str, Any], plan: Plan
) -> dict[str, Any]:
    """Return the parts of the page for one protocol."""
    cells = [cell for cell in results['cells'] if cell['protocol'] == name]
    own = {each: found for each, found in runs.items() if each.protocol == name and found}
    figures = []
    for index, fraction in enumerate(dict.fromkeys(each.label_fraction for each in own)):
        same = {each: found for each, found in own.items() if each.label_fraction == fraction}
        drawn = {
            'recall': plots.precision_recall(f'pr{place}-{index}', same),
            'f1': plots.f1(f'f1-{place}-{index}', same),
            'reliability': plots.reliability(f'rel{place}-{index}', same),
            'areas': plots.frequency_area(f'area{place}-{index}', same),
        }
        figures.append((fraction, drawn))
    return {
        'place': place,
        'name': name,
        'title': protocol_text.protocol_name(results, name),
        'note': protocol_text.split_note(results, name),
        'limit': protocol_text.limit_note(results, name),
        'leaking': protocol_text.is_leaking(results, name),
        'about': plan.specification.protocols[name],
        'cells': cells,
        'scores': plots.scores(f'ap{place}', cells),
        'cost': plots.cost(f'cost{place}', cells),
        'timed': any(map(formatting.cpu_hours, cells)),
        'curves': figures,
        'confusion': [
            (each, run, confusion(run.outcomes)) for each, found in own.items() for run in found
        ],
        'label_fractions': plots.label_fractions(f'labels{place}', cells),
        'panels': _panels(name, own, cells, plan),
    }


def _panels(
    name: str, runs: plots.Runs, cells: Sequence[Mapping[str, Any]], plan: Plan
) -> dict[str, Any]:
    """Return tiles of the best condition of a protocol, or why there are none."""
    means = [(formatting.mean(cell, 'AP50'), cell) for cell in cells]
    scored = [(mean, cell) for mean, cell in means if mean is not None]
    if not scored or not plan.specification.protocols[name].show_tiles:
        return {'condition': None}
    _, best = max(scored, key=lambda each: each[0])
    condition = Condition(*(best[key] for key in FACTORS))
    run = runs[condition][0]
    chosen = tiles.choose(run.outcomes)
    test = next(each.test for each in plan.conditions[condition] if each.seed == run.seed)
    shown = {'condition': condition, 'run': run}
    try:
        images, bands = tiles.read_images(
            test, [each.tile.tile_id for found in chosen.values() for each in found]
        )
        panels = {
            kind: [tiles.draw(each, images[each.tile.tile_id], bands) for each in found]
            for kind, found in chosen.items()
        }
    except Exception as error:  # a user's config and data may raise anything: the numbers stay
        return {**shown, 'fault': f'{type(error).__name__}: {error}'}
    return {**shown, 'kinds': panels}


def _pictures(plan: Plan) -> dict[str, Any]:
    """Return the pictures of masked autoencoders, or why there are none."""
    try:
        return {'found': reconstructions(plan)}
    except TileError as error:
        return {'found': [], 'fault': str(error)}
