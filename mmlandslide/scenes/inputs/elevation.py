"""Files of elevation: which band, in what unit, where it is missing, several side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.checks.coverage import covered, no_map, require_cover
from mmlandslide.scenes.inputs.formats import derived_raster
from mmlandslide.scenes.inputs.formats.band_names import canonical, is_reflectance
from mmlandslide.scenes.inputs.formats.gdal import reading
from mmlandslide.scenes.inputs.formats.openable import Openable
from mmlandslide.scenes.inputs.formats.side_files import alpha_indexes
from mmlandslide.scenes.inputs.rasters import RasterFile, layout_of

#: Outside of these is no land on earth (-430 to 8849 m): what files hold where they have no
#: elevation, whatever value they say that is.
LAND_M = (-500.0, 9000.0)
#: A lowest number, 0 or less, is no elevation where no other is as near to it as this. m
_SHORE_M = 50.0
#: How many lowest numbers of a file are looked at.
_LOWEST = 4
#: Values that files hold for voids, at most; where there are more, the unit is another.
_MOST_VOIDS = 8
#: Unit as raster files state it -> metres.
_METRES = {
    **dict.fromkeys(('', 'm', 'metre', 'metres', 'meter', 'meters'), 1.0),
    **dict.fromkeys(('ft', 'foot', 'feet', 'international foot'), 0.3048),
    **dict.fromkeys(('us-ft', 'ftus', 'us survey foot', 'foot_us'), 1200 / 3937),
}
#: What is derived from elevation and is none, in the words of gdaldem and QGIS.
_DERIVED = re.compile(
    '(?<![a-z])(slope|aspect|hillshade|shaded|curvature|roughness|ruggedness)(?![a-z])',
    re.IGNORECASE,
)
#: By which cubic warping reaches beyond a scene, in px of the elevation, and rows that are looked
#: at in one go.
_MARGIN_PX, _STRIP_PX = 4, 512


@dataclass
class Mosaic(RasterFile):
    """Files side by side on one map, read as one, in the pixels of the finest.

    Attributes:
        parts: the files.
        indexes: of the band in each, from 1.
    """

    parts: tuple[RasterFile, ...] = ()
    indexes: tuple[int, ...] = ()

    def _source(self) -> Openable:
        layouts = []
        for part in self.parts:
            layout = layout_of(part)
            nodata = [] if part.used_nodata is None else [part.used_nodata]
            name = derived_raster.without_voids(layout, [*nodata, *part.voids], masked=True)
            layouts.append(replace(layout, name=name))
        files = tuple(path for part in self.parts for path in part.files)
        return Openable('VRT', derived_raster.mosaic(layouts, self.indexes), files)


def open_elevation(
    paths: Sequence[Path], frame: GeoBox, part_only: bool
) -> tuple[RasterFile, int, float]:
    """Return elevation on the grid of a scene with a margin of one pixel.

    Args:
        paths: files of it, side by side where they are several.
        frame: of the scene.
        part_only: whether it may cover a part of the scene.

    Returns:
        The file, the index of its band from 1, and what one unit of it is in metres.

    Raises:
        SceneError: it cannot be read, does not cover the scene, is in an unknown unit, or its band
            cannot be told.
    """
    files = [RasterFile(path) for path in dict.fromkeys(paths)]
    indexes = [elevation_index(file) for file in files]
    metres = [metres_of(file, index) for file, index in zip(files, indexes, strict=True)]
    files = [
        replace(file, voids=voids_of(file, index, frame, unit))
        for file, index, unit in zip(files, indexes, metres, strict=True)
    ]
    if len(files) == 1:
        file, index = files[0], indexes[0]
    else:
        _require_alike(files, indexes, metres)
        file, index = Mosaic(files[0].path, parts=tuple(files), indexes=tuple(indexes)), 1
    require_cover(frame, file.own_frame, file.path, part_only=part_only)
    return replace(file, frame=frame.padded(1), resampling=Resampling.cubic), index, metres[0]


def elevation_index(file: RasterFile) -> int:
    """Return which band of a file is elevation: its only one, or the one that is described so.

    Raises:
        SceneError: there are several bands, and none or several are described so; the only one is
            described, or its file named, as something that is derived from elevation, or as light.
    """
    dataset, alpha = file.dataset, alpha_indexes(file.dataset)
    bands = [index for index in range(1, dataset.count + 1) if index not in alpha]
    said = {index: dataset.descriptions[index - 1] or '' for index in bands}
    said |= {index: text for index, text in file.side.description.items() if index in said}
    named = [index for index, text in said.items() if canonical(text) == 'DEM']
    if len(named) == 1:
        return named[0]
    if len(bands) == 1:
        _require_no_other(said[bands[0]], file.path)
        return bands[0]
    remedy = (
        'Describe it with `gdal_edit.py -set_band_desc N DEM`, or take it out with '
        '`gdal_translate -b N`'
    )
    raise SceneError.mismatch(
        'DEM', "have one band, or one described as 'DEM'", list(said.values()), file.path, remedy
    )


def _require_no_other(text: str, path: Path) -> None:
    """Refuse a band whose description, or whose file's name, is of another quantity."""
    said = [name for name in (text, path.stem) if _DERIVED.search(name)]
    if said or is_reflectance(canonical(text)):
        got = repr(said[0] if said else text)
        remedy = 'Name the elevation itself, or say so with `gdal_edit.py -set_band_desc 1 DEM`'
        raise SceneError.mismatch('DEM', 'hold elevation', got, path, remedy)


def metres_of(file: RasterFile, index: int) -> float:
    """Return what one unit of a file is in metres.

    Raises:
        SceneError: an unknown unit, or none on a map in feet.
    """
    unit = (file.dataset.units[index - 1] or '').strip()
    crs = file.own_frame.crs
    if not unit and crs is not None and crs.is_projected and crs.linear_units_factor[1] != 1:
        remedy = 'State it with `gdal_edit.py -units m` or `-units us-ft`'
        expected = f'be stated where the map is in {crs.linear_units}'
        raise SceneError.mismatch('unit of the elevation', expected, 'none', file.path, remedy)
    if unit.lower() not in _METRES:
        remedy = 'Convert it to metres, or state its unit with `gdal_edit.py -units m`'
        raise SceneError.mismatch(
            'unit of the elevation',
            f'be one of {sorted(_METRES)[1:]}',
            repr(unit),
            file.path,
            remedy,
        )
    return _METRES[unit.lower()]


def voids_of(file: RasterFile, index: int, frame: GeoBox, metres: float) -> tuple[float, ...]:
    """Return the values of a file that stand for no elevation although it does not say so.

    Warping would blend them with the elevation beside them.

    Raises:
        SceneError: so many that the unit must be another, or the file has no place on a map.
    """
    dataset = file.dataset
    if file.own_frame.crs is None:
        raise no_map('DEM', file.path)
    scales, offsets = file.scales((index,))
    low, high = sorted((np.array(LAND_M) / metres - offsets[0]) / scales[0])
    top, left, height, width = covered(frame, file.own_frame, _MARGIN_PX)
    found: set[float] = set()
    lowest: set[float] = set()
    holds_zero, nearest = False, np.inf
    for row in range(top, top + height, _STRIP_PX):
        with reading(file.path):
            strip = RasterWindow(left, row, width, min(_STRIP_PX, top + height - row))
            values = dataset.read(index, window=strip)
        found |= set(np.unique(values[(values < low) | (values > high)]).tolist())
        land = values[(values >= low) & (values <= high)]
        lowest |= _lowest(land)
        holds_zero |= bool((land == 0).any())
        if land.any():
            nearest = min(nearest, float(np.abs(land[land != 0]).min()))
        if len(found) > _MOST_VOIDS:
            raise _no_metres(sorted(found), file.path)
    if scales[0] > 0 and not offsets[0]:
        shore = _SHORE_M / (metres * scales[0])
        found |= _alone(sorted(lowest - {file.used_nodata}), shore)
        if holds_zero and shore < nearest < np.inf:
            found.add(0.0)  # above land that lies below the sea, too
    return tuple(sorted(found - {file.used_nodata}))


def _lowest(values: np.ndarray) -> set[float]:
    """Return the lowest numbers that occur, those not above 0 and the next one."""
    found: set[float] = set()
    while values.size and len(found) < _LOWEST and max(found, default=0.0) <= 0:
        found.add(float(values.min()))
        values = values[values > max(found)]
    return found


def _alone(lowest: Sequence[float], shore: float) -> set[float]:
    """Return the numbers, 0 or less, that lie alone below all others: no shore lies between.

    Mosaics are filled with 0, and others with -99 or -1.
    """
    found = set()
    for value, following in pairwise(lowest):
        if value > 0 or following - value <= shore:
            break
        found.add(value)
    return found


def _no_metres(values: list[float], path: Path) -> LandslideError:
    remedy = (
        'State its unit with `gdal_edit.py -units ft`, or convert it to metres; '
        'if these are voids, give them one value and name it with `gdal_edit.py -a_nodata`'
    )
    expected = f'lie between {LAND_M[0]:.0f} and {LAND_M[1]:.0f} m, but for few values of voids'
    return SceneError.mismatch('elevation', expected, values[:3], path, remedy)


def _require_alike(
    files: Sequence[RasterFile], indexes: Sequence[int], metres: Sequence[float]
) -> None:
    """Refuse files that cannot be laid side by side.

    Raises:
        SceneError: they differ in map or unit, are turned, or state a scale.
    """
    first = files[0]
    for file, index, unit in zip(files, indexes, metres, strict=True):
        scales, offsets = file.scales((index,))
        _, b, _, d, e, _ = file.own_frame.transform[:6]
        if file.own_frame.crs != first.own_frame.crs:
            got = f'another than {first.path.name}'
        elif unit != metres[0]:
            got = f'another unit than {first.path.name}'
        elif scales[0] != 1 or offsets[0] != 0 or b or d or e >= 0:
            got = 'a scale, an offset, or no north'
        else:
            continue
        remedy = 'Join the files first with `gdalwarp FILE FILE dem.tif`, and pass that one'
        raise SceneError.mismatch('files of the DEM', 'lie on one map', got, file.path, remedy)
