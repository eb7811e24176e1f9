"""Plots of a detector's scores."""

from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmlandslide.evaluation.average_precision import RECALL_POINTS
from mmlandslide.evaluation.matching import best_index
from mmlandslide.evaluation.scoring import Evaluation
from mmlandslide.files import write_atomic

_BLUE, _ORANGE, _GREEN, _GREY = '#1f5fa8', '#d9730d', '#2f8f5b', '#666666'


def save_curves(evaluation: Evaluation, out_dir: str | Path) -> list[Path]:
    """Draw precision against recall, and precision, recall and F1 against the score threshold.

    Args:
        evaluation: from `evaluate`.
        out_dir: folder, made where it is missing.

    Returns:
        Paths of `pr_curve.png` and `f1_confidence.png`.

    Raises:
        OSError: the folder cannot be written to.
    """
    out_dir = Path(out_dir)
    return [
        write_atomic(out_dir / 'pr_curve.png', _png(_precision_recall(evaluation))),
        write_atomic(out_dir / 'f1_confidence.png', _png(_f1_confidence(evaluation))),
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
