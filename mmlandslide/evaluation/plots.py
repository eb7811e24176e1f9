"""Plots of a detector's scores."""

from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.matching import best_index
from mmlandslide.evaluation.scoring import Evaluation
from mmlandslide.files import write_atomic

_BLUE, _ORANGE, _GREEN, _GREY = '#1f5fa8', '#d9730d', '#2f8f5b', '#666666'


def save_plots(evaluation: Evaluation, out_dir: str | Path) -> list[Path]:
    """Draw what is behind the scores of a set.

    Precision against recall; precision, recall and F1 against the score threshold; the share of
    hits against the score; frequency density against area; false alarms against the threshold.

    Args:
        evaluation: from `evaluate`.
        out_dir: folder, made where it is missing.

    Returns:
        Paths of the PNGs, one per plot.

    Raises:
        OSError: the folder cannot be written to.
    """
    figures = {
        'pr_curve': _precision_recall(evaluation),
        'f1_confidence': _f1_confidence(evaluation),
        'reliability': _reliability(evaluation),
        'frequency_area': _frequency_area(evaluation),
        'false_alarms': _false_alarms(evaluation),
    }
    return [
        write_atomic(Path(out_dir) / f'{name}.png', _png(figure))
        for name, figure in figures.items()
    ]


def _precision_recall(evaluation: Evaluation) -> Figure:
    figure, axes = _axes('Precision against recall', 'recall', 'precision')
    for (iou_thr, precision), color in zip(
        evaluation.precision_at.items(), (_BLUE, _ORANGE), strict=True
    ):
        score = evaluation.metrics[f'AP{100 * iou_thr:g}']
        axes.plot(
            RECALL_POINTS,
            precision,
            color=color,
            linewidth=2,
            label=f'IoU {iou_thr:.2f}: AP {score:.3f}',
        )
    curve, best = evaluation.curve, best_index(evaluation.curve)
    if best is not None:
        label = f'best F1 {curve.f1[best]:.3f} (score >= {curve.score_thrs[best]:.3f})'
        axes.plot(
            curve.recall[best], curve.precision[best], 'o', color=_GREY, markersize=7, label=label
        )
    figure.legend(loc='outside lower center', ncols=4, frameon=False, fontsize='small')
    return figure


def _f1_confidence(evaluation: Evaluation) -> Figure:
    curve, best = evaluation.curve, best_index(evaluation.curve)
    figure, axes = _axes('F1, precision and recall at IoU 0.50', 'score threshold', 'value')
    lines = (
        ('precision', curve.precision, _ORANGE),
        ('recall', curve.recall, _GREEN),
        ('F1', curve.f1, _BLUE),
    )
    for name, values, color in lines:
        # Between two scores of the set, what is kept does not change: a step.
        axes.step(
            curve.score_thrs,
            values,
            where='post',
            color=color,
            linewidth=2 if name == 'F1' else 1.3,
            label=name,
        )
    if best is not None:
        score_thr, f1 = curve.score_thrs[best], curve.f1[best]
        axes.axvline(score_thr, color=_GREY, linewidth=1, linestyle='--')
        axes.plot(
            score_thr,
            f1,
            'o',
            color=_BLUE,
            markersize=7,
            label=f'best F1 {f1:.3f} at {score_thr:.3f}',
        )
    if curve.score_thrs.size and not 0 <= curve.score_thrs[-1] <= curve.score_thrs[0] <= 1:
        axes.autoscale(axis='x')  # scores that are no probabilities
    figure.legend(loc='outside lower center', ncols=4, frameon=False, fontsize='small')
    return figure


def _reliability(evaluation: Evaluation) -> Figure:
    found = evaluation.reliability
    title = f'Reliability at IoU 0.50, D-ECE {found.d_ece:.3f}'
    figure, axes = _axes(title, 'score', 'share of detections that hit')
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle='--', label='calibrated')
    axes.plot(found.confidence, found.precision, 'o-', color=_BLUE, label='detections')
    for score, precision, count in zip(
        found.confidence, found.precision, found.counts, strict=True
    ):
        if count:
            axes.annotate(f'{count}', (score, precision), (4, -10), textcoords='offset points')
    figure.legend(loc='outside lower center', ncols=4, frameon=False, fontsize='small')
    return figure


def _frequency_area(evaluation: Evaluation) -> Figure:
    figure, axes = _axes('Frequency density of box areas', 'area, m²', 'density, 1/m²')
    for (name, found), color in zip(
        evaluation.frequency_area.items(), (_GREY, _ORANGE), strict=True
    ):
        middle = np.sqrt(found.edges_m2[1:] * found.edges_m2[:-1])
        filled = found.density_per_m2 > 0
        label = f'{name}: {found.num} boxes, roll-over {found.rollover_m2:,.0f} m²'
        axes.plot(middle[filled], found.density_per_m2[filled], 'o-', color=color, label=label)
    if any(found.num for found in evaluation.frequency_area.values()):
        axes.set(xscale='log', yscale='log', autoscale_on=True)
        axes.relim()
        axes.autoscale_view()
    figure.legend(loc='outside lower center', ncols=2, frameon=False, fontsize='small')
    return figure


def _false_alarms(evaluation: Evaluation) -> Figure:
    title = 'False alarms on landslide-free ground'
    figure, axes = _axes(title, 'score threshold', 'per 100 km²')
    axes.step(evaluation.curve.score_thrs, evaluation.false_alarms, where='post', color=_ORANGE)
    if np.isfinite(evaluation.false_alarms).any():
        axes.set(yscale='symlog', autoscale_on=True)
        axes.relim()
        axes.autoscale_view()
    return figure


def _axes(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.8), layout='constrained')
    axes = figure.add_subplot(
        title=title, xlabel=x_label, ylabel=y_label, xlim=(0, 1), ylim=(0, 1.02)
    )
    axes.grid(color='#dddddd', linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    FigureCanvasAgg(figure)  # takes the figure over from the canvas that cannot draw
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()
