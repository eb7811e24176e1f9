"""The report of a study: one HTML page that needs no network, no script and no other file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from mmlandslide.datasets.display import PREDICTION_RGB, TRUTH_RGB
from mmlandslide.errors import TileError
from mmlandslide.files import write_atomic
from mmlandslide.study.execute import Record, finished
from mmlandslide.study.plan import Axes, Cell, Plan
from mmlandslide.study.report import plots, tiles, wording
from mmlandslide.study.report.curves import Found, confusion, read_found
from mmlandslide.study.report.reconstructions import reconstructions
from mmlandslide.study.report.tables import ORIGINAL, ORIGINAL_PROTOCOL, original
from mmlandslide.study.results import NOT_MEASURED, RESAMPLED
from mmlandslide.study.specification import AXES
from mmlandslide.study.statistics import BETTER, UNCLEAR, WORSE

_TEMPLATE = 'report.html.j2'
_CONFUSION = {
    'hits': 'true positives',
    'false': 'false positives',
    'missed': 'missed',
    'tiles_found': 'with landslide: found',
    'tiles_missed': 'with landslide: not found',
    'empty_alarmed': 'without: found all the same',
    'empty_quiet': 'without: nothing found',
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


def page(plan: Plan, records: Mapping[str, Record], results: Mapping[str, Any]) -> str:
    """Return the report of a study as HTML, see `write`."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        'number': wording.number,
        'interval': wording.interval,
        'percent': wording.percent,
    }
    template = environment.from_string(
        resources.files(__package__).joinpath(_TEMPLATE).read_text('utf-8')
    )
    runs = _runs(plan)
    specification = plan.specification
    return template.render(
        results=results,
        specification=specification,
        protocols=[
            _protocol(place, name, runs, results, plan)
            for place, name in enumerate(dict.fromkeys(axes.protocol for axes in runs))
        ],
        losses=plots.losses(plan),
        pictures=_pictures(plan),
        differences=[wording.difference(each) for each in results['differences']],
        caution=wording.caution(results),
        trained_on=wording.trained_on(results),
        troubles=[
            (cell, run)
            for cell in results['cells']
            for run in cell['runs']
            if run['status'] != 'finished'
        ],
        stages=[
            (stage, finished(stage), asdict(records.get(stage.name, Record())))
            for stage in plan.stages.values()
        ],
        originals=ORIGINAL,
        original=original,
        original_protocol=ORIGINAL_PROTOCOL,
        resampled=RESAMPLED,
        score=wording.score,
        mean=wording.mean,
        more=wording.MORE,
        confusion=_CONFUSION,
        kinds=tiles.KINDS,
        colors={'true': TRUTH_RGB, 'predicted': PREDICTION_RGB},
        not_measured=NOT_MEASURED,
        marks={BETTER: '▲', WORSE: '▼', UNCLEAR: '○'},
    )


def _runs(plan: Plan) -> dict[Axes, list[Found]]:
    """Return the finished runs of each cell, none where none is."""
    return {
        axes: [
            read_found(cell.seed, _predictions(cell)) for cell in cells if finished(cell.stages[-1])
        ]
        for axes, cells in groupby(plan.cells, key=lambda cell: cell.axes)
    }


def _predictions(cell: Cell) -> Path:
    return cell.stages[-1].work_dir / cell.stages[-1].leaves[1]


def _protocol(
    place: int, name: str, runs: plots.Runs, results: Mapping[str, Any], plan: Plan
) -> dict[str, Any]:
    """Return what the page shows of one protocol."""
    cells = [cell for cell in results['cells'] if cell['protocol'] == name]
    own = {axes: found for axes, found in runs.items() if axes.protocol == name and found}
    figures = []
    for index, fraction in enumerate(dict.fromkeys(axes.label_fraction for axes in own)):
        same = {axes: found for axes, found in own.items() if axes.label_fraction == fraction}
        pair = (
            plots.precision_recall(f'pr{place}-{index}', same),
            plots.f1(f'f1-{place}-{index}', same),
        )
        figures.append((fraction, *pair))
    return {
        'place': place,
        'about': plan.specification.protocols[name],
        'cells': cells,
        'scores': plots.scores(f'ap{place}', cells),
        'curves': figures,
        'confusion': [
            (axes, run, confusion(run.outcomes)) for axes, found in own.items() for run in found
        ],
        'label_fractions': plots.label_fractions(f'labels{place}', cells),
        'panels': _panels(name, own, cells, plan),
    }


def _panels(
    name: str, runs: plots.Runs, cells: Sequence[Mapping[str, Any]], plan: Plan
) -> dict[str, Any]:
    """Return tiles of the best cell of a protocol, or why there are none."""
    means = [(wording.mean(cell, 'AP50'), cell) for cell in cells]
    scored = [(mean, cell) for mean, cell in means if mean is not None]
    if not scored or not plan.specification.protocols[name].show_tiles:
        return {'cell': None}
    _, best = max(scored, key=lambda each: each[0])
    axes = Axes(*(best[key] for key in AXES))
    run = runs[axes][0]
    chosen = tiles.choose(run.outcomes)
    test = next(
        cell.stages[-1] for cell in plan.cells if (cell.axes, cell.seed) == (axes, run.seed)
    )
    shown = {'cell': axes, 'run': run}
    try:
        images, bands = tiles.read_images(
            test, [each.tile.tile_id for found in chosen.values() for each in found]
        )
        panels = {
            kind: [tiles.draw(each, images[each.tile.tile_id], bands) for each in found]
            for kind, found in chosen.items()
        }
    except Exception as error:  # a config of the user's and its data may raise anything; the numbers are there all the same
        return {**shown, 'fault': f'{type(error).__name__}: {error}'}
    return {**shown, 'kinds': panels}


def _pictures(plan: Plan) -> dict[str, Any]:
    """Return the pictures of masked autoencoders, or why there are none."""
    try:
        return {'found': reconstructions(plan)}
    except TileError as error:
        return {'found': [], 'fault': str(error)}
