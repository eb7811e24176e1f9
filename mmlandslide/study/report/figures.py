"""A study's figures as SVG that stands within a page.

Text stays text, ids are those of one figure alone.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

_INK, _GREY, _GRID = '#222222', '#777777', '#dddddd'
#: Okabe and Ito's colours, which differ for every kind of colour vision, without the yellow that is
#: too light for a line.
_COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
_DASHES: tuple[Any, ...] = ('-', (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)), (0, (8, 3)))
_STYLE: Any = {
    'svg.fonttype': 'none',
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans', 'Arial'],
    'font.size': 9,
    'path.simplify_threshold': 0.5,
    'text.parse_math': False,  # names come from a file: a dollar is a dollar
}
_NO_METADATA = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
_WIDTH_IN, _PER_ROW = 7.2, 2


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a figure.

    Attributes:
        group: lines of one group share a colour.
        kind: lines of one kind share a dash.
        x: (N,).
        y: (N,), drawn thick; NaN where there is nothing.
        thin: more of (N,), drawn thin beneath it.
        low: (N,), lower ends of intervals.
        high: (N,), upper ends.
        note: number of the line, for the legend.
    """

    group: str
    kind: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    thin: Sequence[NDArray[np.float64]] = ()
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    note: str = ''

    @property
    def label(self) -> str:
        """The line's name."""
        return ', '.join(filter(None, (self.group, self.kind, self.note)))


@dataclass(frozen=True)
class Dot:
    """One row of a dot-and-whisker figure.

    Attributes:
        label: of the row.
        value: score; `None` where it was not measured.
        interval: of the score.
        original: another study's score.
    """

    label: str
    value: float | None
    interval: tuple[float, float] | None = None
    original: float | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """One of many small figures.

    Attributes:
        title: above it.
        curves: label -> x (N,) and y (N,).
    """

    title: str
    curves: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(
        default_factory=dict
    )


def dots(name: str, alt: str, rows: Sequence[Dot], x_label: str) -> Markup:
    """Draw scores with their intervals, one below the other, and those of another study as rings.

    Args:
        name: of the figure; what its ids begin with.
        alt: what it shows, for those who cannot see it.
        rows: from top to bottom.
        x_label: of the score.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, 1.0 + 0.28 * len(rows)), layout='constrained')
        axes = _plain(figure.add_subplot(xlabel=x_label))
        for place, row in enumerate(rows):
            if row.value is not None:
                axes.plot(
                    row.interval or (),
                    (place,) * len(row.interval or ()),
                    color=_COLORS[0],
                    linewidth=2,
                )
                axes.plot(row.value, place, 'o', color=_COLORS[0], markersize=6)
            if row.original is not None:
                axes.plot(
                    row.original, place, 'o', color=_COLORS[1], markerfacecolor='none', markersize=7
                )
        axes.set_yticks(
            range(len(rows)),
            [row.label if row.value is not None else f'{row.label} (not measured)' for row in rows],
        )
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(left=0)
        return _svg(figure, name, alt)


def lines(
    name: str, alt: str, drawn: Sequence[Line], x_label: str, y_label: str, **axes_options: Any
) -> Markup:
    """Draw lines with a legend below them.

    Args:
        name: of the figure; what its ids begin with.
        alt: what it shows, for those who cannot see it.
        drawn: the lines.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        axes_options: of matplotlib's axes, such as `xlim`.
    """
    with mpl.rc_context(_STYLE):
        legend_rows = -(-len(drawn) // _PER_ROW)
        figure = Figure(figsize=(_WIDTH_IN, 3.9 + 0.19 * legend_rows), layout='constrained')
        axes = _plain(figure.add_subplot(xlabel=x_label, ylabel=y_label, **axes_options))
        axes.xaxis.set_minor_locator(NullLocator())
        for axis, letter in ((axes.xaxis, 'x'), (axes.yaxis, 'y')):
            if axis.get_scale() == 'log' and f'{letter}ticklabels' not in axes_options:
                axis.set_major_formatter('{x:g}')  # the default is mathematical markup
        groups, kinds = (
            list(dict.fromkeys(getattr(line, key) for line in drawn)) for key in ('group', 'kind')
        )
        handles = []
        for line in drawn:
            color = _COLORS[groups.index(line.group) % len(_COLORS)]
            dash = _DASHES[kinds.index(line.kind) % len(_DASHES)]
            handles.append(_draw(axes, line, color, dash))
        figure.legend(
            handles,
            [line.label for line in drawn],
            loc='outside lower left',
            ncols=_PER_ROW,
            frameon=False,
        )
        return _svg(figure, name, alt)


def _draw(axes: Axes, line: Line, color: str, dash: Any) -> Any:
    for seed in line.thin:
        axes.plot(line.x, seed, color=color, linestyle=dash, linewidth=0.6, alpha=0.5)
    if line.low is not None and line.high is not None:
        axes.vlines(line.x, line.low, line.high, color=color, linewidth=1)
    marker = 'o' if line.low is not None else ''
    return axes.plot(
        line.x, line.y, color=color, linestyle=dash, linewidth=1.8, marker=marker, markersize=4
    )[0]


def costs(name: str, alt: str, rows: Sequence[Dot], hours: Sequence[float], y_label: str) -> Markup:
    """Draw scores over CPU-hours, with a line through those that no cheaper one reaches.

    Args:
        name: of the figure; what its ids begin with.
        alt: what it shows, for those who cannot see it.
        rows: each with a value; numbered, with their labels below the figure.
        hours: of each row.
        y_label: of the score.
    """
    with mpl.rc_context(_STYLE):
        legend_rows = -(-len(rows) // _PER_ROW)
        figure = Figure(figsize=(_WIDTH_IN, 3.9 + 0.19 * legend_rows), layout='constrained')
        axes = _plain(figure.add_subplot(xlabel='CPU-hours', ylabel=y_label))
        handles, front, best = [], [], -np.inf
        known = [(row, row.value) for row in rows if row.value is not None]
        for place, ((row, value), hour) in enumerate(zip(known, hours, strict=True), 1):
            if row.interval:
                axes.vlines(hour, *row.interval, color=_GRID, linewidth=1.5)
            handles.append(axes.scatter(hour, value, 24, _COLORS[0], label=f'{place}  {row.label}'))
            axes.annotate(str(place), (hour, value), (4, 3), textcoords='offset points')
        for hour, value in sorted(zip(hours, (value for _, value in known), strict=True)):
            if value > best:
                best = value
                front.append((hour, best))
        axes.plot(*zip(*front, strict=True), color=_COLORS[1], drawstyle='steps-post', linewidth=1)
        axes.set_xlim(left=0)
        figure.legend(
            handles=handles, loc='outside lower left', ncols=_PER_ROW, frameon=False, handlelength=0
        )
        return _svg(figure, name, alt)


def panels(name: str, alt: str, drawn: Sequence[Panel], x_label: str, y_label: str) -> Markup:
    """Draw small figures in rows of two, each with a logarithmic vertical axis.

    Args:
        name: of the figure; what its ids begin with.
        alt: what it shows, for those who cannot see it.
        drawn: the small figures.
        x_label: of all horizontal axes.
        y_label: of all vertical axes.
    """
    with mpl.rc_context(_STYLE):
        num_rows = -(-len(drawn) // _PER_ROW)
        figure = Figure(figsize=(_WIDTH_IN, 2.1 * num_rows), layout='constrained')
        for place, panel in enumerate(drawn):
            axes = _plain(
                figure.add_subplot(num_rows, _PER_ROW, place + 1, xlabel=x_label, ylabel=y_label)
            )
            axes.set_title(textwrap.fill(panel.title, 44), fontsize='medium', loc='left')
            handles = [
                axes.plot(x, y, color=color, linewidth=1.2)[0]
                for (x, y), color in zip(
                    panel.curves.values(), _COLORS * len(panel.curves), strict=False
                )
            ]
            if any((y > 0).any() for _, y in panel.curves.values()):
                axes.set_yscale('log')
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter('{x:g}')
                axes.yaxis.set_minor_formatter(NullFormatter())
            if len(handles) > 1:
                axes.legend(handles, list(panel.curves), frameon=False, fontsize='small')
        return _svg(figure, name, alt)


def _plain(axes: Axes) -> Axes:
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=_INK)
    return axes


def _svg(figure: Figure, name: str, alt: str) -> Markup:
    """Return a figure as an `<svg>` element; call it where the style is in force."""
    mpl.rcParams['svg.hashsalt'] = name  # the same ids in every run
    content = StringIO()
    figure.savefig(content, format='svg', metadata=_NO_METADATA, transparent=True)
    text = content.getvalue()
    text = re.sub(
        r'<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->',
        '',
        text[text.index('<svg') :],
        flags=re.DOTALL,
    )
    text = re.sub(r'<[^>]+>', lambda tag: _own(tag[0], name), text)  # a `>` of a name is escaped
    text = re.sub(r'\n\s*', '\n', text)
    shape = re.search(r'viewBox="[^"]*"', text)
    assert shape is not None
    corners = 'stroke-linejoin="round" stroke-linecap="butt"'
    opening = f'<svg {shape[0]} role="img" aria-label="{escape(alt)}" {corners}>'
    return Markup(opening + text[text.index('>') + 1 :])


def _own(tag: str, name: str) -> str:
    """Return a tag with ids of the figure alone and coordinates to a hundredth of a point."""
    tag = re.sub(r'(\bid="|url\(#|href="#)', rf'\g<1>{name}-', tag)
    return re.sub(
        r'\b(d|x|y|transform)="[^"]*"', lambda found: re.sub(r'(\.\d\d)\d+', r'\1', found[0]), tag
    )
