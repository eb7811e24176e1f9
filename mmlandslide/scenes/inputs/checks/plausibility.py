"""Limits of what bands can hold on earth, for every door: products, rasters, tiles and arrays.

Values are given in the unit of the band table (digital numbers without offset, degrees, metres),
none missing.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.formats.band_names import CIRRUS

#: Digital numbers: no ground is brighter than the first in its brightest hundredth (clouds reach
#: 15000), or than the second over all bands; clear air alone lifts blue above the third (with the
#: offset of baseline 04.00 above the fourth) nowhere but over snow, clouds and salt.
_BRIGHTEST, _BRIGHTEST_MEDIAN, _BRIGHT_BLUE, _BRIGHT_BLUE_WITH_OFFSET = (
    20000.0,
    7000.0,
    2000.0,
    3000.0,
)
#: No land is darker in its brightest hundredth; seen through the atmosphere the median of blue is
#: never below the second.
_DARKEST_PEAK, _DARK_BLUE = 900.0, 500.0
_BLUE = ('B1', 'B2')
#: Bands in which plants or soil are bright.
_INFRARED = ('B6', 'B7', 'B8', 'B9', 'B11')
#: Ratio of a slope to that which its own elevation has; percent over degrees is at least 1.75,
#: radians over degrees 0.017. Asked where the ground rises by more than the third, in degrees.
_LEAST_RATIO, _MOST_RATIO, _RISING_DEG = 0.3, 1.5, 5.0
_MEDIAN_SLOPE_DEG = 60.0
#: Lowest and highest land is -430 and 8849 m.
ELEVATION_M = (-500.0, 9000.0)
_RGB = GROUPS['rgb8']
_MARS = GROUPS['mars']
SCALE_HELP = (
    'State how many digital numbers one unit is: --scale 0.1526 where 65535 is all light '
    '(10000 / 65535), 0.3052 where 32768 is, 10 where 1000 is; or say --no-check'
)


def require_brightness(
    light: Mapping[str, np.ndarray], where: Path | str, offset_open: bool = False
) -> None:
    """Refuse digital numbers that are too bright or too dark for any ground.

    Args:
        light: band -> values (N,) of optical bands.
        where: the file to name.
        offset_open: whether the offset of baseline 04.00 may still be in the values.

    Raises:
        SceneError: they are, as in another unit.
    """
    values = [each for band, each in light.items() if band != CIRRUS and each.size]
    if not values:
        return
    peak, median = np.percentile(np.concatenate(values), [99, 50])
    blue = min((np.percentile(each, 1) for each in _blue(light)), default=0.0)
    most = _BRIGHT_BLUE_WITH_OFFSET if offset_open else _BRIGHT_BLUE
    if peak > _BRIGHTEST or median > _BRIGHTEST_MEDIAN or blue > most:
        limits = 'at most 20000, 7000 and 2000 in the brightest hundredth, the median and dark blue'
    elif peak < _DARKEST_PEAK and set(_INFRARED) & set(light):
        limits = 'at least 900 in their brightest hundredth'
    else:
        return
    expected = f'be digital numbers (10000 is all light), {limits}'
    got = f'{peak:.0f}, {median:.0f} and {blue:.0f}'
    raise SceneError.mismatch('values', expected, got, where, SCALE_HELP)


def require_clear_air(light: Mapping[str, np.ndarray], where: Path | str) -> None:
    """Refuse light above the atmosphere that is darker than the air itself.

    Args:
        light: as in `require_brightness`.
        where: the file to name.

    Raises:
        SceneError: blue is too dark, as in another unit.
    """
    blue = min((np.median(each) for each in _blue(light)), default=_DARK_BLUE)
    if blue < _DARK_BLUE:
        expected = 'be digital numbers (10000 is all light), above 500 in the median of blue'
        raise SceneError.mismatch('values', expected, f'{blue:.0f}', where, SCALE_HELP)


def _blue(light: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [light[band] for band in _BLUE if band in light and light[band].size]


def require_slope(
    slope_deg: np.ndarray, computed_deg: np.ndarray | None, where: Path | str
) -> None:
    """Refuse slopes that are no degrees.

    Args:
        slope_deg: (N,) as stated.
        computed_deg: (N,) from the elevation of the same pixels; `None` where there is none.
        where: the file to name.

    Raises:
        SceneError: they are below 0 or above 90, above 60 in the median, all below pi / 2, or far
            from the computed ones.
    """
    if not slope_deg.size:
        return
    remedy = 'Convert it to degrees, or leave the band out: slope is computed from --dem FILE'
    lowest, highest = float(slope_deg.min()), float(slope_deg.max())
    if lowest < -0.01 or highest > 90:
        got = f'{lowest:.3g} to {highest:.3g}'
        raise SceneError.mismatch('slope', 'be 0 to 90 degrees', got, where, remedy)
    median = float(np.median(slope_deg))
    if median > _MEDIAN_SLOPE_DEG:  # percent, or from the zenith
        expected = f'be in degrees, below {_MEDIAN_SLOPE_DEG:.0f} in the median'
        remedy += '; or say --no-check'
        raise SceneError.mismatch('slope', expected, f'{median:.3g}', where, remedy)
    if computed_deg is None:
        if 0.2 < highest <= np.pi / 2:
            got = f'at most {highest:.3g}, as in radians'
            raise SceneError.mismatch(
                'slope', 'be in degrees', got, where, f'{remedy}; or say --no-check'
            )
        return
    rising = computed_deg > _RISING_DEG
    if rising.mean() < 0.01:
        return
    ratio = float(np.median(slope_deg[rising] / computed_deg[rising]))
    if not _LEAST_RATIO <= ratio <= _MOST_RATIO:
        expected = 'be in degrees and fit the elevation beside it'
        got = f'{ratio:.3g} times the slope of that elevation'
        raise SceneError.mismatch('slope', expected, got, where, f'{remedy}; or say --no-check')


def require_elevation(metres: np.ndarray, slope_deg: np.ndarray | None, where: Path | str) -> None:
    """Refuse elevation that is not in metres.

    Args:
        metres: (N,).
        slope_deg: (N,) computed from it; `None` where nobody computed it.
        where: the file to name.

    Raises:
        SceneError: no land on earth lies so, or is so steep all over.
    """
    remedy = 'State its unit with `gdal_edit.py -units ft`, convert it to metres, or say --no-check'
    if metres.size:
        low, high = np.percentile(metres, [1, 99])
        if low < ELEVATION_M[0] or high > ELEVATION_M[1]:
            expected = f'lie between {ELEVATION_M[0]:.0f} and {ELEVATION_M[1]:.0f} m'
            raise SceneError.mismatch(
                'elevation', expected, f'{low:.4g} to {high:.4g}', where, remedy
            )
    if slope_deg is not None and slope_deg.size and np.median(slope_deg) > _MEDIAN_SLOPE_DEG:
        expected = f'have a median slope below {_MEDIAN_SLOPE_DEG:.0f} degrees'
        raise SceneError.mismatch(
            'elevation', expected, f'{np.median(slope_deg):.3g}', where, remedy
        )


def require_unit(band: str, values: np.ndarray, where: Path | str) -> None:
    """Refuse 8-bit colours, and bands that were scaled to [0, 1], in other units.

    Args:
        band: any; only those have limits here.
        values: (N,).
        where: the file to name.

    Raises:
        SceneError: they are not.
    """
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    unit = BANDS[band].unit if band in BANDS else ''
    if band in _RGB and (high > 255 or low < 0 or 0 < high <= 1):
        remedy = 'Convert it with `gdal_translate -ot Byte -scale`'
        raise SceneError.mismatch(
            f'band {band}', 'hold 0 to 255', f'{low:.4g} to {high:.4g}', where, remedy
        )
    if band in _MARS and (high > 1.5 or low < -0.5):
        raise SceneError.mismatch(
            f'band {band}', f'be {unit}', f'{low:.4g} to {high:.4g}', where, 'Scale it'
        )
