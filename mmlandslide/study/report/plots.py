"""Figures of a report, from a study's results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.calibration.reliability import reliability as binned
from mmlandslide.evaluation.frequency_area import FrequencyArea, areas_m2, compared_areas
from mmlandslide.study.plan import Plan
from mmlandslide.study.report.curves import (
    RunOutcome,
    f1_at,
    precision_at_recalls,
    threshold_grid,
)
from mmlandslide.study.report.figures import Dot, Line, Panel, costs, dots, lines, panels
from mmlandslide.study.report.formatting import cpu_hours, mean, percent
from mmlandslide.study.report.tables import original
from mmlandslide.study.training_log import training_loss
from mmlandslide.study.trial import Condition, Stage

#: Condition -> its finished runs.
Runs = Mapping[Condition, Sequence[RunOutcome]]
_UNIT = {'xlim': (0, 1), 'ylim': (0, 1)}


def scores(name: str, cells: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw AP50 of each condition of a protocol with its interval.

    Args:
        name: of the figure.
        cells: conditions of `results.collect`, of one protocol.
    """
    rows = [_dot(cell, several=_several(cells)) for cell in cells]
    protocol = cells[0]['protocol']
    return dots(
        name,
        f'AP50 and its interval of {len(cells)} conditions of protocol {protocol}, as in the table',
        rows,
        'AP50',
    )


def _several(cells: Sequence[Mapping[str, Any]]) -> bool:
    return len({cell['label_fraction'] for cell in cells}) > 1


def _dot(cell: Mapping[str, Any], several: bool) -> Dot:
    """Return AP50 of a condition, named with its share of labels where there are several."""
    shares = (percent(cell['label_fraction']),) if several else ()
    label = ', '.join((cell['backbone'], cell['strategy'], *shares))
    ends = cell['scores'].get('AP50', {}).get('interval')
    return Dot(label, mean(cell, 'AP50'), ends, _original(cell))


def _original(cell: Mapping[str, Any]) -> float | None:
    """Return the original study's AP50.

    `None` where it has none, or says only that it was below something.
    """
    text = (original(cell) or ('<',))[0]
    return None if text.startswith('<') else float(text)


def cost(name: str, cells: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw AP50 of each condition over the CPU-hours of its trainings.

    `None` where the hours of fewer than two conditions are known.

    Args:
        name: of the figure.
        cells: conditions of `results.collect`, of one protocol.
    """
    known = [(cell, hours) for cell in cells if (hours := cpu_hours(cell)) is not None]
    if len(known) < 2:
        return None
    alt = f'AP50 over CPU-hours of {len(known)} conditions, with the best that each cost gives'
    rows = [_dot(cell, several=_several(cells)) for cell, _ in known]
    return costs(name, alt, rows, [hours for _, hours in known], 'AP50')


def precision_recall(name: str, runs: Runs) -> Markup:
    """Draw precision against recall at IoU .5, one line per condition.

    Args:
        name: of the figure.
        runs: of conditions that differ in backbone and strategy alone.
    """
    drawn = [
        _line(condition, RECALL_POINTS, [precision_at_recalls(run.curve) for run in found])
        for condition, found in runs.items()
    ]
    alt = f'Precision against recall at IoU .5 of {len(drawn)} conditions'
    return lines(name, alt, drawn, 'recall', 'precision', **_UNIT)


def f1(name: str, runs: Runs) -> Markup:
    """Draw F1 at IoU .5 over the score threshold, one line per condition.

    Args:
        name: of the figure.
        runs: of conditions that differ in backbone and strategy alone.
    """
    grid = threshold_grid(run.curve for found in runs.values() for run in found)
    drawn = [
        _line(condition, grid, [f1_at(run.curve, grid) for run in found])
        for condition, found in runs.items()
    ]
    alt = f'F1 at IoU .5 over the score threshold of {len(drawn)} conditions'
    return lines(name, alt, drawn, 'score threshold', 'F1', ylim=(0, 1), xlim=(grid[0], grid[-1]))


def reliability(name: str, runs: Runs) -> Markup | None:
    """Draw the share of boxes that hit against their score, one line per condition.

    `None` where no scores in [0, 1] were predicted.

    Args:
        name: of the figure.
        runs: of conditions that differ in backbone and strategy alone.
    """
    drawn = []
    for condition, found in runs.items():
        scores, hit = (np.concatenate(all_runs) for all_runs in _pooled(found))
        bins = binned(scores, hit)
        if bins.counts.any():
            curve = bins.confidence, bins.precision
            note = f'D-ECE {bins.d_ece:.3f}'
            drawn.append(Line(condition.backbone, condition.strategy, *curve, note=note))
    if not drawn:
        return None
    ends = np.array([0.0, 1.0])
    drawn.append(Line('calibrated', 'score = share', ends, ends))
    alt = f'Share of boxes that hit over their score of {len(drawn) - 1} conditions'
    return lines(name, alt, drawn, 'score', 'share that hits', **_UNIT)


def frequency_area(name: str, runs: Runs) -> Markup | None:
    """Draw the frequency density of areas, truth once and predictions of each condition.

    `None` where there are no true boxes.

    Args:
        name: of the figure.
        runs: of conditions that differ in backbone and strategy alone, on the same tiles.
    """
    drawn: list[Line] = []
    for condition, found in runs.items():
        both = _areas(found)
        if not drawn and both['truth'].num:
            drawn.append(_density('labels', 'truth', both['truth']))
        if both['prediction'].num:
            drawn.append(_density(condition.backbone, condition.strategy, both['prediction']))
    if not any(line.group == 'labels' for line in drawn):
        return None
    alt = f'Frequency density of areas of true boxes and of {len(drawn) - 1} conditions'
    scales = {'xscale': 'log', 'yscale': 'log'}
    return lines(name, alt, drawn, 'area of a box, m²', 'density, 1/m²', **scales)


def _areas(runs: Sequence[RunOutcome]) -> dict[str, FrequencyArea]:
    """Return the curves of the boxes of all seeds, each at its own threshold of the best F1."""
    kept, none = [], np.zeros((0, 4))
    for run in runs:
        score_thr = np.inf if run.score_thr is None else run.score_thr
        kept += [tile.boxes_xyxy[tile.scores >= score_thr] for tile in run.tiles]
    rules = runs[0].rules
    true = np.concatenate([none, *(tile.true_boxes_xyxy for tile in runs[0].tiles)])
    return compared_areas(areas_m2(true, rules), areas_m2(np.concatenate([none, *kept]), rules))


def _density(group: str, kind: str, found: FrequencyArea) -> Line:
    middle = np.sqrt(found.edges_m2[1:] * found.edges_m2[:-1])
    density = np.where(found.density_per_m2 > 0, found.density_per_m2, np.nan)
    return Line(group, kind, middle, density, note=f'roll-over {found.rollover_m2:,.0f} m²')


def _pooled(runs: Sequence[RunOutcome]) -> Any:
    return zip(*(run.scores_and_hits for run in runs), strict=True)


def _line(condition: Condition, x: Any, values: Sequence[Any]) -> Line:
    each = values if len(values) > 1 else ()
    return Line(condition.backbone, condition.strategy, x, np.mean(values, axis=0), each)


def label_fractions(name: str, cells: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw AP50 over the share of labels.

    `None` where no backbone and strategy was measured with two or more.

    Args:
        name: of the figure.
        cells: conditions of `results.collect`, of one protocol.
    """
    measured: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for cell in cells:
        value = mean(cell, 'AP50')
        if value is not None:
            row = (
                100 * cell['label_fraction'],
                value,
                *(cell['scores']['AP50'].get('interval') or (np.nan, np.nan)),
            )
            measured.setdefault((cell['backbone'], cell['strategy']), []).append(row)
    shares = sorted({row[0] for rows in measured.values() for row in rows})
    drawn = []
    for place, ((backbone, strategy), rows) in enumerate(measured.items()):
        x, y, low, high = np.array(sorted(rows)).T
        # Moved aside, so that whiskers do not hide each other.
        aside = 1.015 ** (place - (len(measured) - 1) / 2)
        drawn.append(Line(backbone, strategy, x * aside, y, low=low, high=high))
    if not any(len(line.x) > 1 for line in drawn):
        return None
    ticks = {
        'xscale': 'log',
        'xticks': shares,
        'xticklabels': [f'{share:g}' for share in shares],
        'ylim': (0, None),
    }
    alt = f'AP50 over {len(shares)} shares of labels of {len(drawn)} backbones with strategies'
    return lines(name, alt, drawn, 'labels, %', 'AP50', **ticks)


def losses(plan: Plan) -> list[tuple[str, Markup]]:
    """Draw the loss of every training that has logged any.

    Args:
        plan: of the study.

    Returns:
        What is trained, and the figure of it: pre-trainings, then the detectors of each protocol.
    """
    pretrainings = [stage for stage in plan.stages.values() if stage.kind == 'pretrain']
    groups = [('pre-trainings', [_panel(stage.name, {'loss': stage}) for stage in pretrainings])]
    by_protocol: dict[str, list[Panel]] = {}
    for condition, trials in plan.conditions.items():
        title = f'{condition.backbone}, {condition.strategy}, {percent(condition.label_fraction)}'
        panel = _panel(title, {f'seed {trial.seed}': trial.training for trial in trials})
        by_protocol.setdefault(condition.protocol, []).append(panel)
    groups += [
        (f'detectors of protocol {protocol}', drawn) for protocol, drawn in by_protocol.items()
    ]
    figures = []
    for number, (what, all_panels) in enumerate(groups):
        drawn = [panel for panel in all_panels if panel.curves]
        if drawn:
            figures.append(
                (
                    what,
                    panels(
                        f'loss{number}',
                        f'Training loss over steps of {len(drawn)} {what}',
                        drawn,
                        'step',
                        'loss',
                    ),
                )
            )
    return figures


def _panel(title: str, stages: Mapping[str, Stage]) -> Panel:
    curves = {label: training_loss(stage.work_dir) for label, stage in stages.items()}
    return Panel(title, {label: curve for label, curve in curves.items() if len(curve[0])})
