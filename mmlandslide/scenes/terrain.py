"""Opens elevation for a scene: its unit, its voids, and whether it covers the scene."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from mmlandslide.bands import BANDS
from mmlandslide.errors import SceneError
from mmlandslide.scenes.catalogue import BandPlace
from mmlandslide.scenes.coverage import covered, require_cover
from mmlandslide.scenes.frame import MapFrame
from mmlandslide.scenes.layers import LOWEST_M, TerrainLayer
from mmlandslide.scenes.options import LANDSLIDE4SENSE_UNITS, InputOptions
from mmlandslide.scenes.rasters import RasterFile, reading

#: Unit as raster files state it -> metres.
_METRES = {
    **dict.fromkeys(('', 'm', 'metre', 'metres', 'meter', 'meters'), 1.0),
    **dict.fromkeys(('ft', 'foot', 'feet', 'international foot'), 0.3048),
    **dict.fromkeys(('us-ft', 'ftus', 'us survey foot', 'foot_us'), 1200 / 3937),
}
#: By which cubic warping reaches beyond a scene, in px of the elevation, and rows that are looked at in one go.
_MARGIN_PX, _STRIP_PX = 4, 512


def terrain_layer(
    bands: tuple[str, ...], places: Mapping[str, BandPlace], frame: MapFrame, grid_path: Path, options: InputOptions
) -> TerrainLayer:
    """Return the layer of elevation and of the slope that is computed from it.

    Args:
        bands: any of `DEM` and `slope`.
        places: `DEM` -> where it lies.
        frame: of the scene.
        grid_path: file whose grid is the scene's; 0 is an elevation in it whatever it says, for it speaks of light.
        options: of the user.

    Raises:
        SceneError: elevation that does not cover the scene, in a unit that nobody knows, or with several values for voids.
    """
    path, index = places['DEM'].path, places['DEM'].index
    if path == grid_path:
        file = RasterFile(path, frame, zero_is_data=True)
        stored = options.scale == LANDSLIDE4SENSE_UNITS
        return TerrainLayer(file, bands, index, frame, BANDS['DEM'].divisor if stored else _metres(file, index))
    file = RasterFile(path, frame.padded(1), Resampling.cubic)
    require_cover(frame, file.own_frame, path)
    metres = _metres(file, index)
    if file.dataset.nodata is None:
        file = replace(file, nodata=_void(file, index, frame, metres))
    return TerrainLayer(file, bands, index, frame, metres, margin_px=1)


def _metres(file: RasterFile, index: int) -> float:
    """Return what one unit of a file is in metres."""
    unit = (file.dataset.units[index - 1] or '').strip()
    if unit.lower() not in _METRES:
        remedy = 'Convert it to metres, or state its unit with `gdal_edit.py -units m`'
        raise SceneError.mismatch('unit of the elevation', f'be one of {sorted(_METRES)[1:]}', repr(unit), file.path, remedy)
    return _METRES[unit.lower()]


def _void(file: RasterFile, index: int, frame: MapFrame, metres: float) -> float | None:
    """Return the value of a file that stands for no elevation and is not stated; `None` where there is no such value.

    Warping would blend it with the elevation beside it.
    """
    dataset = file.dataset
    lowest = (LOWEST_M / metres - dataset.offsets[index - 1]) / dataset.scales[index - 1]
    top, left, height, width = covered(frame, file.own_frame, _MARGIN_PX)
    found: set[float] = set()
    for row in range(top, top + height, _STRIP_PX):
        with reading(file.path):
            values = dataset.read(index, window=RasterWindow(left, row, width, min(_STRIP_PX, top + height - row)))
        found |= set(np.unique(values[values < lowest]).tolist())
        if len(found) > 1:
            remedy = 'Name the right one with `gdal_edit.py -a_nodata VALUE`'
            raise SceneError.mismatch(
                'elevation', f'have one value below {LOWEST_M:.0f} m, for voids', sorted(found)[:3], file.path, remedy
            )
    return found.pop() if found else None
