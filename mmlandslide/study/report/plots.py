"""Which figures a report has: from a study's results to lines, dots and small figures."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from markupsafe import Markup

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.study.plan import Axes, Plan, Stage
from mmlandslide.study.report.curves import (
    Found,
    f1_at,
    precision_at_recalls,
    threshold_grid,
)
from mmlandslide.study.report.figures import Dot, Line, Panel, dots, lines, panels
from mmlandslide.study.report.tables import original
from mmlandslide.study.report.wording import mean, percent
from mmlandslide.study.training_log import training_loss

#: Cell -> its finished runs.
Runs = Mapping[Axes, Sequence[Found]]
_UNIT = {'xlim': (0, 1), 'ylim': (0, 1)}


def scores(name: str, cells: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw AP50 of each cell of a protocol with its interval.

    Args:
        name: of the figure.
        cells: of `results.collect`, of one protocol.
    """
    several = len({cell['label_fraction'] for cell in cells}) > 1
    rows = []
    for cell in cells:
        label = f'{cell["backbone"]}, {cell["strategy"]}' + (
            f', {percent(cell["label_fraction"])}' if several else ''
        )
        rows.append(
            Dot(
                label,
                mean(cell, 'AP50'),
                cell['scores'].get('AP50', {}).get('interval'),
                _original(cell),
            )
        )
    protocol = cells[0]['protocol']
    return dots(
        name,
        f'AP50 and its interval of {len(cells)} cells of protocol {protocol}; the table holds the numbers',
        rows,
        'AP50',
    )


def _original(cell: Mapping[str, Any]) -> float | None:
    """Return the original study's AP50.

    `None` where it has none, or says only that it was below something.
    """
    text = (original(cell) or ('<',))[0]
    return None if text.startswith('<') else float(text)


def precision_recall(name: str, runs: Runs) -> Markup:
    """Draw precision against recall at IoU .5, a line a cell.

    Args:
        name: of the figure.
        runs: of cells that differ in backbone and strategy alone.
    """
    drawn = [
        _line(axes, RECALL_POINTS, [precision_at_recalls(run.curve) for run in found])
        for axes, found in runs.items()
    ]
    alt = f'Precision against recall at IoU .5 of {len(drawn)} cells'
    return lines(name, alt, drawn, 'recall', 'precision', **_UNIT)


def f1(name: str, runs: Runs) -> Markup:
    """Draw F1 at IoU .5 over the score threshold, a line a cell.

    Args:
        name: of the figure.
        runs: of cells that differ in backbone and strategy alone.
    """
    grid = threshold_grid(run.curve for found in runs.values() for run in found)
    drawn = [
        _line(axes, grid, [f1_at(run.curve, grid) for run in found]) for axes, found in runs.items()
    ]
    alt = f'F1 at IoU .5 over the score threshold of {len(drawn)} cells'
    return lines(name, alt, drawn, 'score threshold', 'F1', ylim=(0, 1), xlim=(grid[0], grid[-1]))


def _line(axes: Axes, x: Any, values: Sequence[Any]) -> Line:
    return Line(
        axes.backbone, axes.strategy, x, np.mean(values, axis=0), values if len(values) > 1 else ()
    )


def label_fractions(name: str, cells: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw AP50 over the share of labels.

    `None` where no backbone and strategy was measured with two or more.

    Args:
        name: of the figure.
        cells: of `results.collect`, of one protocol.
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
        aside = 1.015 ** (
            place - (len(measured) - 1) / 2
        )  # so that whiskers do not hide each other
        drawn.append(Line(backbone, strategy, x * aside, y, low=low, high=high))
    if not any(len(line.x) > 1 for line in drawn):
        return None
    ticks = {
        'xscale': 'log',
        'xticks': shares,
        'xticklabels': [f'{share:g}' for share in shares],
        'ylim': (0, None),
    }
    alt = f'AP50 over {len(shares)} shares of labels of {len(drawn)} backbones with their strategies; the table holds the numbers'
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
    for axes, cells in groupby(plan.cells, key=lambda cell: cell.axes):
        title = f'{axes.backbone}, {axes.strategy}, {percent(axes.label_fraction)}'
        panel = _panel(title, {f'seed {cell.seed}': cell.stages[-2] for cell in cells})
        by_protocol.setdefault(axes.protocol, []).append(panel)
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
