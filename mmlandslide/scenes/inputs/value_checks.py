"""What a few windows of a scene say about its units and the order of its bands."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.band_order import misplaced_by_law
from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox, Window
from mmlandslide.scenes.inputs.band_names import CIRRUS, is_reflectance
from mmlandslide.scenes.inputs.layers import BandLayer
from mmlandslide.scenes.inputs.options import LANDSLIDE4SENSE_UNITS, UNITS
from mmlandslide.scenes.inputs.raster_scene import RasterScene
from mmlandslide.scenes.inputs.units import Units

_WINDOW_PX, _BLOCK_PX = 128, 512
#: Share of a window that may lack data where the order of bands is looked at.
_MOST_MISSING = 0.25
#: Reflectance rarely exceeds 1.3 (clouds, snow in the sun); the median of digital numbers is some
#: hundreds, over water too, and that of reflectance in percent some ten.
_MOST_REFLECTANCE, _LEAST_DN = 2.0, 50.0
#: No ground is this bright over all bands; Landslide4Sense units are about 1.
_BRIGHTEST_MEDIAN = 0.7
#: Processing baseline 04.00 adds 1000. Without it B10, below 100 but under thick cirrus, has a
#: median below the first of these, and the darkest hundredth of the darkest band lies below it too,
#: or, where there is no B10 to ask, below the second.
_MOST_CIRRUS_DN, _MOST_DARK_DN = 500.0, 900.0
#: Bands that have dark pixels nearly everywhere: where one in 20 falls below the limit, an offset
#: was undone twice. Level 2A makes water and shadow a little negative.
_DARK_BANDS, _DARK_PERCENT, _LEAST_DARK_DN = (
    ('B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B11', 'B12'),
    5,
    -100.0,
)
#: Ground sampling distances in metres that are near enough to the 10 m that detectors have learnt.
_GSD_M = (4.5, 20.5)


def require_gsd(frame: GeoBox, where: Path) -> None:
    """Refuse pixels that show another size of things than those that detectors have learnt.

    Args:
        frame: of the scene.
        where: the file to name.

    Raises:
        SceneError: a ground sampling distance far from 10 m.
    """
    if not _GSD_M[0] <= frame.gsd_m <= _GSD_M[1]:
        remedy = 'Resample it with `gdalwarp -tr 10 10 -r bilinear` on a map in metres, or say --no-check'
        raise SceneError.mismatch(
            'pixels', 'be about 10 m (5 to 20) on the ground', f'{frame.gsd_m:.4g} m', where, remedy
        )


class Inspection:
    """Looks at windows spread over a scene: its middle, corners and sides.

    Args:
        scene: with any units.
        where: the file to name in errors.
        cirrus: B10, where the scene itself does not hold it.
    """

    def __init__(self, scene: RasterScene, where: Path, cirrus: BandLayer | None = None) -> None:
        self.scene = scene
        self.where = where
        self.cirrus = cirrus

    def units(
        self,
        per_unit: float | None,
        offsets: Mapping[str, float],
        stored: Sequence[str],
        check: bool = True,
    ) -> Units:
        """Return the units of the scene's bands.

        Args:
            per_unit: digital numbers per unit of the file; `None` to recognise it.
            offsets: band -> digital numbers to add; empty where nothing is known.
            stored: bands in Landslide4Sense units.
            check: refuse values that contradict names or units.

        Raises:
            SceneError: no data anywhere, a unit that cannot be recognised, an offset that nobody
                undid or that was undone before, or bands in the place of others.
        """
        self._require_data()
        if per_unit is None and not stored:
            per_unit = self._recognised()
        units = Units(self.scene.held, per_unit or 1.0, offsets, stored)
        check = check and bool(self.scene.held)  # all may be filled
        if check and not stored:
            self._require_offset(per_unit or 1.0, offsets)
        if check:
            self._require_order(units)
        return units

    def _require_data(self) -> None:
        """Refuse a scene without one valid pixel; the middle of most scenes ends the search."""
        if not any(self.scene.stored(window)[1].any() for window in self._search()):
            kinds = 'no data' if self.scene.clouds is None else 'no data or under clouds'
            raise SceneError.mismatch(
                'scene',
                'have at least one pixel with data',
                f'{kinds} everywhere',
                self.where,
                'Check --nodata and --mask',
            )

    def _search(self) -> Iterator[Window]:
        yield from self._windows()
        for row in range(0, self.scene.height, _BLOCK_PX):
            for col in range(0, self.scene.width, _BLOCK_PX):
                yield self.scene.frame.inside((row, col, _BLOCK_PX, _BLOCK_PX))

    def _windows(self) -> list[Window]:
        """Return the windows that are looked at, the middle first."""
        rows, cols = (
            list(dict.fromkeys((max(length - _WINDOW_PX, 0) // 2, 0, max(length - _WINDOW_PX, 0))))
            for length in (self.scene.height, self.scene.width)
        )
        return [
            self.scene.frame.inside((row, col, _WINDOW_PX, _WINDOW_PX))
            for row in rows
            for col in cols
        ]

    @cached_property
    def _samples(self) -> list[np.ndarray]:
        """(C, h, w) values as stored, NaN where not valid, one a window."""
        looked = (self.scene.stored(window) for window in self._windows())
        return [np.where(valid, stored, np.nan) for stored, valid in looked]

    def _light(self) -> dict[str, np.ndarray]:
        """Return band -> valid values as stored, of Sentinel-2's bands."""
        found = {}
        for index, band in enumerate(self.scene.held):
            if is_reflectance(band):
                values = np.concatenate([sample[index].ravel() for sample in self._samples])
                found[band] = values[~np.isnan(values)]
        return {band: values for band, values in found.items() if values.size}

    def _recognised(self) -> float:
        """Return how many digital numbers a unit of the file is, by its type and range."""
        light = [values for band, values in self._light().items() if band != CIRRUS]
        if not light:
            return UNITS['dn']
        types = {
            layer.file.dataset.dtypes[0]
            for layer in self.scene.layers
            if isinstance(layer, BandLayer)
        }
        values = np.concatenate(light)
        peak, median = np.percentile(values, 99), np.median(values)
        if median >= _LEAST_DN and 'uint8' not in types:
            return UNITS['dn']
        if peak <= _MOST_REFLECTANCE and median <= _BRIGHTEST_MEDIAN and 'uint8' not in types:
            return UNITS['reflectance']
        raise SceneError.mismatch(
            'values',
            f'be digital numbers (from {_LEAST_DN:.0f}) or reflectance (to {_MOST_REFLECTANCE:.0f})',
            f'{", ".join(sorted(types))} with median {median:.3g} and 99th percentile {peak:.3g}',
            self.where,
            f'State their unit: --scale dn, reflectance, {LANDSLIDE4SENSE_UNITS}, or digital numbers per unit',
        )

    def _require_offset(self, per_unit: float, offsets: Mapping[str, float]) -> None:
        """Refuse light from which the offset of processing baseline 04.00 was not taken, or was taken before."""
        light = {band: values * per_unit for band, values in self._light().items()}
        cirrus = self._median_cirrus(per_unit)
        if not offsets and light:
            self._require_dark(light, cirrus)
        if min(offsets.values(), default=0.0) < 0:
            self._require_not_negative(light, cirrus, offsets)

    def _median_cirrus(self, per_unit: float) -> float | None:
        """Return the median of B10 in digital numbers, whether or not the model asks for it.

        `None` where there is none.
        """
        values = self._light().get(CIRRUS, np.empty(0))
        if self.cirrus is not None:
            looked = zip(self._windows(), self._samples, strict=True)
            values = np.concatenate(
                [self.cirrus.read(window)[0][~np.isnan(sample[0])] for window, sample in looked]
            )
            values = values[~np.isnan(values)]
        return float(np.median(values)) * per_unit if values.size else None

    def _require_dark(self, light: Mapping[str, np.ndarray], cirrus: float | None) -> None:
        """Refuse light that is nowhere dark: an offset lifts every band."""
        darkest = min(float(np.percentile(values, 1)) for values in light.values())
        most = _MOST_DARK_DN if cirrus is None else _MOST_CIRRUS_DN
        if darkest > most and (cirrus is None or cirrus > most):
            seen = (
                f'{darkest:.0f}'
                if cirrus is None
                else f'{darkest:.0f} and a median of {cirrus:.0f} in {CIRRUS}'
            )
            raise SceneError.mismatch(
                'digital numbers',
                f'be below {most:.0f} in the darkest hundredth of one of {sorted(light)}',
                seen,
                self.where,
                'Products of processing baseline 04.00 or later need --dn-offset -1000; if not, say --dn-offset 0',
            )

    def _require_not_negative(
        self, light: Mapping[str, np.ndarray], cirrus: float | None, offsets: Mapping[str, float]
    ) -> None:
        """Refuse an offset that leaves too many digital numbers below 0."""
        low = {
            band: float(np.percentile(light[band], _DARK_PERCENT)) + offsets.get(band, 0.0)
            for band in _DARK_BANDS
            if band in light
        }
        negative = {band: round(value) for band, value in low.items() if value < _LEAST_DARK_DN}
        if (
            cirrus is not None
            and cirrus + offsets.get(CIRRUS, min(offsets.values())) < -_MOST_CIRRUS_DN
        ):
            negative[CIRRUS] = round(cirrus + offsets.get(CIRRUS, min(offsets.values())))
        if negative:
            raise SceneError.mismatch(
                'digital numbers',
                f'not turn negative by the offset {min(offsets.values()):.0f}',
                f'down to {negative}',
                self.where,
                'Was it removed before? Then say --dn-offset 0',
            )

    def _require_order(self, units: Units) -> None:
        """Refuse bands whose values contradict their names in most windows."""
        samples = [sample for sample in self._samples if np.isnan(sample[0]).mean() < _MOST_MISSING]
        said = [misplaced_by_law(self._tile(units.convert(sample))) for sample in samples]
        broken = [laws for laws in said if laws]
        if len(broken) * 2 > len(said):
            raise SceneError.mismatch(
                'bands',
                'have values that fit their names',
                broken[0],
                self.where,
                'Correct --band-order or --band, or say --no-check if the names are right',
            )

    def _tile(self, values: np.ndarray) -> np.ndarray:
        """Return (14, h, w) float32 in Landslide4Sense's order, 0 in bands that the scene lacks, the median where data lack."""
        tile = np.zeros((len(LANDSLIDE4SENSE), *values.shape[1:]), np.float32)
        for band, value in zip(self.scene.held, values, strict=True):
            if band in LANDSLIDE4SENSE:
                tile[LANDSLIDE4SENSE.index(band)] = np.where(
                    np.isnan(value), np.nanmedian(value), value
                )
        return tile
