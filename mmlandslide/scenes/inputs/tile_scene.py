"""A tile without a place on the map, read whole.

HDF5, `.npy`, an image file, or a TIFF without coordinates.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide.bands import GROUPS, LANDSLIDE4SENSE, divisors, positions
from mmlandslide.datasets.band_order import misplaced_by_divisor, misplaced_by_law
from mmlandslide.datasets.storage import tiles
from mmlandslide.datasets.storage.tile_statement import FILL_FROM
from mmlandslide.errors import BandError, ConfigError, SceneError
from mmlandslide.scenes.frame import GeoBox, Window, require_upright
from mmlandslide.scenes.inputs.assembly import fill_values
from mmlandslide.scenes.inputs.checks import plausibility
from mmlandslide.scenes.inputs.checks.empty_pixels import black
from mmlandslide.scenes.inputs.formats.arrays import placed_array
from mmlandslide.scenes.inputs.formats.band_names import (
    CIRRUS,
    canonical,
    is_reflectance,
    require_known,
)
from mmlandslide.scenes.inputs.formats.product_names import date_in
from mmlandslide.scenes.inputs.options import LANDSLIDE4SENSE_UNITS, InputOptions, dn_per_unit
from mmlandslide.scenes.inputs.provenance import nodata_fact, units_facts
from mmlandslide.scenes.inputs.units import Units
from mmlandslide.scenes.scene import InputFile, Scene

_DEFAULTS = InputOptions()
#: Between which the median of the brightest band of light lies in Landslide4Sense units, over water
#: and over clouds too: haze alone makes B1 0.7 and more. Reflectance rarely reaches the first;
#: digital numbers are far above the second.
_BRIGHTEST = (0.5, 20.0)
#: Share of a tile that may lack data where the order of bands is looked at.
_MOST_MISSING = 0.25


@dataclass(frozen=True)
class TileScene(Scene):
    """A tile in memory.

    Attributes:
        values: (C, H, W) float32 in Landslide4Sense units, in the order of `bands`.
        known: (H, W) bool, true where there are data.
    """

    values: np.ndarray
    known: np.ndarray

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        row, col, height, width = window
        part = np.s_[row : row + height, col : col + width]
        return self.values[(slice(None), *part)], self.known[part]


def scene_of(
    values: np.ndarray,
    held: tuple[str, ...],
    bands: tuple[str, ...],
    options: InputOptions = _DEFAULTS,
    name: str = 'array',
    frame: GeoBox | None = None,
) -> TileScene:
    """Return an array as a scene.

    Args:
        values: (C, H, W); floats in Landslide4Sense units, whole numbers as sensors and elevation
            models give them, unless `options.scale` says otherwise. What is not finite, masked in
            a masked array, or black (see `empty_pixels.black`) is no data.
        held: names of its bands.
        bands: names that the model asks for.
        options: `scale`, `dn_offset`, `nodata`, `fill` and `acquired` count here.
        name: of the scene.
        frame: its place on the map; a plain tile by default.

    Raises:
        BandError: a band that is neither held nor filled.
        ConfigError: a scale or a fill that cannot be.
    """
    fill = fill_values(options.fill, bands, held)
    direct = tuple(band for band in bands if band not in fill)
    chosen = values[positions(direct, held, name)] if direct else values[:0]
    known = ~np.ma.getmaskarray(chosen).any(axis=0)
    chosen = np.ma.getdata(chosen).astype(np.float32)
    known &= (np.abs(chosen) < FILL_FROM).all(axis=0)
    light = [each for band, each in zip(direct, chosen, strict=True) if _is_light(band)]
    if options.nodata is None or len(light) > 1:
        known &= ~black(light)
    if options.nodata is not None:
        known &= (chosen != np.float32(options.nodata)).all(axis=0)
    stored = options.scale == LANDSLIDE4SENSE_UNITS or (
        options.scale is None and values.dtype.kind == 'f'
    )
    offsets = dict.fromkeys(direct, options.dn_offset or 0.0)
    units = Units(direct, dn_per_unit(options.scale) or 1.0, offsets, direct if stored else ())
    found = dict(zip(direct, units.convert(np.where(known, chosen, 0)), strict=True))
    filled = np.stack(
        [
            found[band] if band in found else np.full(known.shape, fill[band], np.float32)
            for band in bands
        ]
    )
    nodata = dict.fromkeys(direct, nodata_fact(options.nodata))
    facts = {
        'units': units_facts(direct, units),
        'fill': fill,
        'nodata': nodata,
        'mask': None,
        'product_level': None,
    }
    place = GeoBox(*known.shape) if frame is None else frame
    return TileScene(name, bands, place, options.acquired, (), filled, known, facts=facts)


def array_scene(
    source: Any, bands: tuple[str, ...], options: InputOptions = _DEFAULTS
) -> TileScene:
    """Return an array of any library as a scene.

    Args:
        source: as `arrays.placed_array` takes it, with the bands asked for in their order, or with
            names that tell them.
        bands: names that the model asks for.
        options: as in `scene_of`; `band_order` names the bands of the array.

    Raises:
        ConfigError: other dimensions or another number of bands.
        BandError: a band that is neither held nor filled.
        SceneError: values that contradict the names or units of the bands, or a place nowhere.
    """
    array = placed_array(source)
    names = options.band_order or array.names
    held = bands if names is None else tuple(map(canonical, names))
    if len(held) != len(array.values):
        raise ConfigError.mismatch(
            'array',
            f'be (C, H, W) with the {len(held)} bands {held}',
            f'shape {array.values.shape}',
            'LandslideDetector',
            'Select those bands',
        )
    if array.frame is not None:
        require_upright(array.frame, Path('array'))
    if options.check_values:
        require_plausible(array.values, held, options, 'the array')
    acquired = options.acquired or array.acquired
    options = replace(options, acquired=acquired)
    return scene_of(array.values, held, bands, options, frame=array.frame)


def open_tile(path: Path, bands: tuple[str, ...], options: InputOptions = _DEFAULTS) -> TileScene:
    """Read a tile.

    Args:
        path: in a format that `tiles.read_image` reads.
        bands: names that the model asks for.
        options: `band_order` names the bands of the file; without it 14 are Landslide4Sense's and
            the 3 of an image file R, G, B.

    Raises:
        MissingPathError: no such file.
        TileError: as in `tiles.read_image`.
        BandError: a band that is neither held nor filled, or a file whose bands have no names.
        ConfigError: an option that only scenes on the map have.
        SceneError: values of the 14 bands of Landslide4Sense that contradict their names or units.
    """
    for option in ('band_files', 'dem', 'cloud_mask'):
        if getattr(options, option):
            expected = 'belong to a scene on the map'
            raise ConfigError.mismatch(
                option, expected, 'a tile without coordinates', path, 'Leave the option out'
            )
    held = _bands_of(path, options, bands)
    image = tiles.read_image(path, held)
    if options.check_values:
        require_plausible(image, held, options, path)
    tile = scene_of(image, held, bands, options, path.stem)
    return replace(
        tile, acquired=options.acquired or date_in(path.stem), inputs=(InputFile.of(path),)
    )


def require_plausible(
    values: np.ndarray, held: tuple[str, ...], options: InputOptions, where: Path | str
) -> None:
    """Refuse a tile or array whose values contradict the names or units of its bands.

    Args:
        values: (C, H, W), see `scene_of`.
        held: names of its bands.
        options: of the user.
        where: the file to name.

    Raises:
        SceneError: bands of Landslide4Sense in other units or in another order, slope that is not
            in degrees, elevation that no land has, or bands of other sensors in another unit.
    """
    tile = scene_of(values, held, held, options)
    if set(LANDSLIDE4SENSE) <= set(held):
        whole = scene_of(values, held, LANDSLIDE4SENSE, options)
        _require_landslide4sense(whole, where, units=options.scale is None)
    elif options.scale is None:
        _require_units(tile, where)
    factors = divisors(held)
    for band, value, factor in zip(held, tile.values, factors, strict=True):
        seen = value[tile.known] * factor
        plausibility.require_unit(band, seen, where)
        if band == 'slope':
            plausibility.require_slope(seen, None, where)
        if band == 'DEM':
            plausibility.require_elevation(seen, None, where)


def _require_landslide4sense(tile: TileScene, path: Path | str, units: bool) -> None:
    """Refuse a tile of Landslide4Sense's bands in other units, or in another order.

    Units are looked at where they are in doubt.
    """
    seen = _lit(tile)
    if not seen.any():
        return
    if units:
        _require_units(tile, path)
    if seen.mean() > 1 - _MOST_MISSING:
        whole = np.where(seen, tile.values, np.median(tile.values[:, seen], axis=1)[:, None, None])
        wrong = misplaced_by_divisor(tile.values) or misplaced_by_law(whole)
        if wrong:
            remedy = 'Correct --band-order, or say --no-check if the names are right'
            raise SceneError.mismatch(
                'bands', 'have values that fit their names', wrong, path, remedy
            )


def _optical(tile: TileScene) -> np.ndarray:
    return tile.values[[index for index, band in enumerate(tile.bands) if is_reflectance(band)]]


def _is_light(band: str) -> bool:
    return is_reflectance(band) and band != CIRRUS


def _lit(tile: TileScene) -> np.ndarray:
    """Return where any optical band is more than 0, (H, W) bool."""
    lit: np.ndarray = tile.known & (_optical(tile) != 0).any(axis=0)
    return lit


def _require_units(tile: TileScene, where: Path | str) -> None:
    """Refuse optical bands in another unit than Landslide4Sense's."""
    seen = _lit(tile)
    if not seen.any():
        return
    brightest = float(np.median(_optical(tile)[:, seen], axis=1).max())
    if not _BRIGHTEST[0] <= brightest <= _BRIGHTEST[1]:
        expected = (
            'be about 1 (digital numbers over the divisor of their band): '
            f'the brightest median from {_BRIGHTEST[0]} to 20'
        )
        remedy = (
            f'State their unit: --scale dn, reflectance or {LANDSLIDE4SENSE_UNITS} '
            '(scale=... in Python); or say --no-check'
        )
        raise SceneError.mismatch('values', expected, f'{brightest:.3g}', where, remedy)


def _bands_of(path: Path, options: InputOptions, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a tile's bands, in its order."""
    if options.band_order is not None:
        named = tuple(canonical(name) for name in options.band_order)
        require_known(named, asked, '--band-order')
        return named
    array = tiles.read_array(path, 'img')
    last = path.suffix.lower() in (*tiles.HDF5, *tiles.IMAGE)
    count = array.shape[-1 if last else 0] if array.ndim == 3 else 1
    if count == len(LANDSLIDE4SENSE):
        return LANDSLIDE4SENSE
    if count == 3 and path.suffix.lower() in tiles.IMAGE:
        return GROUPS['rgb8']
    raise BandError.mismatch(
        'tile',
        'have the 14 bands of Landslide4Sense',
        f'shape {array.shape}',
        path,
        'Name its bands with --band-order',
    )
