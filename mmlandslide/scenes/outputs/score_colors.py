"""Colour scale of scores: five classes from 0 to 1, the same in every picture, style and map.

The colours are of matplotlib's `plasma`, whose lightness rises evenly for every kind of colour
vision; its darkest end, which would be lost on forest, is left out.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: Borders of the classes. A score on a border belongs below it, as in QGIS.
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COLORS = ('#6a00a8', '#b12a90', '#e16462', '#fca636', '#f0f921')
LABELS = tuple(f'{low:.1f} - {high:.1f}' for low, high in pairwise(EDGES))


def classes(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the class of each score (N,), 0 to 4."""
    return np.searchsorted(EDGES[1:-1], scores, side='left').astype(np.int64)


def rgb(color: str) -> tuple[int, int, int]:
    """Return a colour `#rrggbb` as three numbers from 0 to 255."""
    red, green, blue = bytes.fromhex(color.removeprefix('#'))
    return red, green, blue
