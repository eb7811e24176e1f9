"""What a few windows of a scene say about its units and the order of its bands."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from mmlandslide.bands import LANDSLIDE4SENSE, divisors
from mmlandslide.datasets.band_order import misplaced_by_law
from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import Window
from mmlandslide.scenes.inputs.checks import offsets_undone, plausibility
from mmlandslide.scenes.inputs.formats.band_names import CIRRUS, is_reflectance
from mmlandslide.scenes.inputs.options import LANDSLIDE4SENSE_UNITS, UNITS
from mmlandslide.scenes.inputs.raster_scene import BandLayer, RasterScene
from mmlandslide.scenes.inputs.slope import slope_deg
from mmlandslide.scenes.inputs.units import Units

_WINDOW_PX, _BLOCK_PX = 128, 512
#: Share of a window that may lack data where the order of bands is looked at.
_MOST_MISSING = 0.25
#: Reflectance rarely exceeds 1.3 (clouds, snow in the sun); the median of digital numbers is some
#: hundreds, over water too, and that of reflectance in percent some ten.
_MOST_REFLECTANCE, _LEAST_DN = 2.0, 50.0
#: No ground is this bright over all bands; Landslide4Sense units are about 1.
_BRIGHTEST_MEDIAN = 0.7


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
        trusted: bool = False,
    ) -> Units:
        """Return the units of the scene's bands.

        Args:
            per_unit: digital numbers per unit of the file; `None` to recognise it.
            offsets: band -> digital numbers to add; empty where nothing is known.
            stored: bands in Landslide4Sense units.
            check: refuse values that contradict names or units.
            trusted: whether a product vouches for names and brightness: snow and clouds are bright.

        Raises:
            SceneError: no data anywhere, a unit that cannot be recognised, an offset that nobody
                undid or that was undone before, values that no ground has, or bands in the place of
                others.
        """
        self._require_data()
        if per_unit is None and not stored:
            per_unit = self._recognised()
        units = Units(self.scene.held, per_unit or 1.0, offsets, stored)
        if check and self.scene.held:  # all may be filled
            if not stored:
                self._require_light(per_unit or 1.0, offsets, trusted)
            light = self._in_digital_numbers(units)
            if not trusted:
                plausibility.require_brightness(light, self.where)
                self._require_order(units)
            self._require_plausible(units)
            if not trusted and (CIRRUS in light or self.cirrus is not None):
                plausibility.require_clear_air(light, self.where)
        return units

    def _require_light(self, per_unit: float, offsets: Mapping[str, float], trusted: bool) -> None:
        """Refuse digital numbers from which an offset was not taken, or was taken before."""
        light = {band: values * per_unit for band, values in self._light().items()}
        if not trusted:
            plausibility.require_brightness(light, self.where, offset_open=not offsets)
        self._require_offset(per_unit, offsets)

    def _in_digital_numbers(self, units: Units) -> dict[str, np.ndarray]:
        """Return band -> values (N,) of the optical bands without offset."""
        found = {}
        for index, band in enumerate(self.scene.held):
            if is_reflectance(band):
                values = np.concatenate([sample[index].ravel() for sample in self._samples])
                values = values[~np.isnan(values) & (values != 0)]
                factor = divisors([band])[0]
                found[band] = (values * units.gain[index] + units.offset[index]) * factor
        return found

    def _require_plausible(self, units: Units) -> None:
        """Refuse slopes, elevation and bands of other sensors in another unit."""
        held = self.scene.held
        factors = np.array(divisors(held))[:, None, None]
        samples = [units.convert(sample) * factors for sample in self._samples]
        found = {
            band: np.concatenate([sample[index].ravel() for sample in samples])
            for index, band in enumerate(held)
        }
        for band, values in found.items():
            plausibility.require_unit(band, values[~np.isnan(values)], self.where)
        computed = self._computed_slope(samples)
        stated = any(
            isinstance(layer, BandLayer) and 'slope' in layer.bands for layer in self.scene.layers
        )
        slope = found.get('slope')
        if stated and slope is not None:
            known = ~np.isnan(slope) if computed is None else ~np.isnan(slope + computed)
            beside = None if computed is None or not known.any() else computed[known]
            plausibility.require_slope(slope[known], beside, self.where)
        if 'DEM' in found or slope is not None:
            metres = found.get('DEM', np.empty(0))
            steep = computed if computed is not None else (None if stated else slope)
            plausibility.require_elevation(
                metres[~np.isnan(metres)],
                None if steep is None else steep[~np.isnan(steep)],
                self._dem_path(),
            )

    def _dem_path(self) -> Path:
        """Return the file of the elevation, to name it."""
        files = [layer.file for layer in self.scene.layers if not isinstance(layer, BandLayer)]
        return files[0].path if files else self.where

    def _computed_slope(self, samples: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return the slope of the elevation, (N,) as `ravel` has the pixels; `None` without one."""
        if 'DEM' not in self.scene.held:
            return None
        index, slopes = self.scene.held.index('DEM'), []
        for window, sample in zip(self._windows(), samples, strict=True):
            sizes = self.scene.frame.pixel_size_m(np.arange(window[0], window[0] + window[2]))
            padded = np.pad(sample[index], 1, constant_values=np.nan)
            slopes.append(slope_deg(padded, *sizes).ravel())
        return np.concatenate(slopes)

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
                found[band] = values[~np.isnan(values) & ((values != 0) | (band == CIRRUS))]
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
            f'be digital numbers (from {_LEAST_DN:.0f}) or reflectance (to '
            f'{_MOST_REFLECTANCE:.0f})',
            f'{", ".join(sorted(types))} with median {median:.3g} and 99th percentile {peak:.3g}',
            self.where,
            f'State their unit: --scale dn, reflectance, {LANDSLIDE4SENSE_UNITS}, or digital '
            f'numbers per unit',
        )

    def _require_offset(self, per_unit: float, offsets: Mapping[str, float]) -> None:
        """Refuse optical bands with the offset of baseline 04.00 left in, or taken twice."""
        light = {band: values * per_unit for band, values in self._light().items()}
        cirrus = self._median_cirrus(per_unit)
        if not offsets and light:
            offsets_undone.require_dark(light, cirrus, self.where)
        if min(offsets.values(), default=0.0) < 0:
            offsets_undone.require_not_negative(light, cirrus, offsets, self.where)

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
        """Return (14, h, w) float32 in Landslide4Sense's order.

        0 in bands that the scene lacks, the median where data lack.
        """
        tile = np.zeros((len(LANDSLIDE4SENSE), *values.shape[1:]), np.float32)
        for band, value in zip(self.scene.held, values, strict=True):
            if band in LANDSLIDE4SENSE:
                tile[LANDSLIDE4SENSE.index(band)] = np.where(
                    np.isnan(value), np.nanmedian(value), value
                )
        return tile
