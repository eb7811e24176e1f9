"""Whether the offset of baseline 04.00 is still in digital numbers, or was undone twice."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.formats.band_names import CIRRUS

#: Baseline 04.00 adds 1000. Without it B10, below 100 but under thick cirrus, has a median below
#: the first of these, and the darkest hundredth of the darkest band lies below it too, or, where
#: there is no B10 to ask, below the second.
_MOST_CIRRUS_DN, _MOST_DARK_DN = 500.0, 900.0
#: Bands that have dark pixels nearly everywhere: where one in 20 falls below the limit, an offset
#: was undone twice. Level 2A makes water and shadow a little negative.
_DARK_BANDS = ('B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B11', 'B12')
_DARK_PERCENT, _LEAST_DARK_DN = 5, -100.0


def require_dark(light: Mapping[str, np.ndarray], cirrus: float | None, where: Path) -> None:
    """Refuse optical bands that are nowhere dark: an offset lifts every band.

    Args:
        light: band -> digital numbers (N,).
        cirrus: median of B10; `None` where there is none.
        where: the file to name.

    Raises:
        SceneError: they are.
    """
    darkest = min(float(np.percentile(values, 1)) for values in light.values())
    most = _MOST_DARK_DN if cirrus is None else _MOST_CIRRUS_DN
    if darkest > most and (cirrus is None or cirrus > most):
        seen = f'{darkest:.0f}'
        if cirrus is not None:
            seen = f'{seen} and a median of {cirrus:.0f} in {CIRRUS}'
        raise SceneError.mismatch(
            'digital numbers',
            f'be below {most:.0f} in the darkest hundredth of one of {sorted(light)}',
            seen,
            where,
            'Products of processing baseline 04.00 or later need --dn-offset -1000; if not, say '
            '--dn-offset 0; values of another scale need --scale',
        )


def require_not_negative(
    light: Mapping[str, np.ndarray],
    cirrus: float | None,
    offsets: Mapping[str, float],
    where: Path,
) -> None:
    """Refuse an offset that leaves too many digital numbers below 0.

    Args:
        light: band -> digital numbers (N,), before the offset.
        cirrus: median of B10; `None` where there is none.
        offsets: band -> what is added.
        where: the file to name.

    Raises:
        SceneError: it does.
    """
    low = {
        band: float(np.percentile(light[band], _DARK_PERCENT)) + offsets.get(band, 0.0)
        for band in _DARK_BANDS
        if band in light
    }
    negative = {band: round(value) for band, value in low.items() if value < _LEAST_DARK_DN}
    lowest = min(offsets.values())
    if cirrus is not None and cirrus + offsets.get(CIRRUS, lowest) < -_MOST_CIRRUS_DN:
        negative[CIRRUS] = round(cirrus + offsets.get(CIRRUS, lowest))
    if negative:
        raise SceneError.mismatch(
            'digital numbers',
            f'not turn negative by the offset {lowest:.0f}',
            f'down to {negative}',
            where,
            'Was it removed before? Then say --dn-offset 0',
        )
