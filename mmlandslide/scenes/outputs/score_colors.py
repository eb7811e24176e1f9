"""Colour scale of scores: five classes from 0 to 1, the same in every picture, style and map.

All are light, so that a thin outline shows on forest and on water; their lightness rises from blue
to yellow, which every kind of colour vision tells apart.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: Borders of the classes. A score on a border belongs below it, as in QGIS.
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COLORS = ('#4aa3ff', '#c89bff', '#ff9fb0', '#ffc46b', '#f7ff5c')
LABELS = tuple(f'{low:.1f} - {high:.1f}' for low, high in pairwise(EDGES))


def classes(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the class of each score (N,), 0 to 4."""
    return np.searchsorted(EDGES[1:-1], scores, side='left').astype(np.int64)


def rgb(color: str) -> tuple[int, int, int]:
    """Return a colour `#rrggbb` as three numbers from 0 to 255."""
    red, green, blue = bytes.fromhex(color.removeprefix('#'))
    return red, green, blue
