"""Terrain of a scene: elevation from a file (unit, voids, cover) and the slope computed from it.

Slope by Horn's method (1981, Proceedings of the IEEE 69, pages 14-47), as GDAL's gdaldem computes
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from mmlandslide.bands import BANDS
from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox, Window
from mmlandslide.scenes.inputs.band_files import BandPlace
from mmlandslide.scenes.inputs.coverage import covered, require_cover
from mmlandslide.scenes.inputs.options import LANDSLIDE4SENSE_UNITS, InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile, reading

#: Below the lowest land on earth (-430 m): what files hold where they have no elevation and do not
#: say so.
LOWEST_M = -1000.0
#: Unit as raster files state it -> metres.
_METRES = {
    **dict.fromkeys(('', 'm', 'metre', 'metres', 'meter', 'meters'), 1.0),
    **dict.fromkeys(('ft', 'foot', 'feet', 'international foot'), 0.3048),
    **dict.fromkeys(('us-ft', 'ftus', 'us survey foot', 'foot_us'), 1200 / 3937),
}
#: By which cubic warping reaches beyond a scene, in px of the elevation, and rows that are looked
#: at in one go.
_MARGIN_PX, _STRIP_PX = 4, 512


@dataclass(frozen=True)
class TerrainLayer:
    """Elevation in metres and its slope in degrees.

    The slope is computed with a margin of one pixel around each window, so windows have no seams.

    Attributes:
        file: that holds the elevation.
        bands: any of `DEM` and `slope`.
        index: of the elevation in the file, from 1.
        frame: of the scene.
        metres: what one unit of the file is, in metres.
        margin_px: by which the frame of `file` is larger than the scene's on each side, so that the
            slope of the scene's outermost pixels draws on elevation beyond it.
    """

    file: RasterFile
    bands: tuple[str, ...]
    index: int
    frame: GeoBox
    metres: float = 1.0
    margin_px: int = 0

    @property
    def sources(self) -> dict[str, int]:
        """`DEM` -> its index in the file."""
        return {'DEM': self.index}

    def read(self, window: Window) -> np.ndarray:
        """Return (C, h, w) float32, NaN where there is no elevation."""
        row, col, height, width = window
        shift = self.margin_px - 1
        dem_m = self.file.read((self.index,), (row + shift, col + shift, height + 2, width + 2))[
            0
        ] * np.float32(self.metres)
        dem_m[dem_m < LOWEST_M] = np.nan
        found = {'DEM': dem_m[1:-1, 1:-1]}
        if 'slope' in self.bands:
            found['slope'] = slope_deg(
                dem_m, *self.frame.pixel_size_m(np.arange(row, row + height))
            )
        return np.stack([found[band] for band in self.bands])


def terrain_layer(
    bands: tuple[str, ...],
    places: Mapping[str, BandPlace],
    frame: GeoBox,
    grid_path: Path,
    options: InputOptions,
) -> TerrainLayer:
    """Return the layer of elevation and of the slope that is computed from it.

    Args:
        bands: any of `DEM` and `slope`.
        places: `DEM` -> where it lies.
        frame: of the scene.
        grid_path: file whose grid is the scene's; 0 is an elevation in it whatever it says, for it
            speaks of light.
        options: of the user.

    Raises:
        SceneError: elevation that does not cover the scene, in a unit that nobody knows, or with
            several values for voids.
    """
    path, index = places['DEM'].path, places['DEM'].index
    if path == grid_path:
        file = RasterFile(path, frame, zero_is_data=True)
        stored = options.scale == LANDSLIDE4SENSE_UNITS
        return TerrainLayer(
            file, bands, index, frame, BANDS['DEM'].divisor if stored else _metres(file, index)
        )
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
        raise SceneError.mismatch(
            'unit of the elevation',
            f'be one of {sorted(_METRES)[1:]}',
            repr(unit),
            file.path,
            remedy,
        )
    return _METRES[unit.lower()]


def _void(file: RasterFile, index: int, frame: GeoBox, metres: float) -> float | None:
    """Return the value of a file that stands for no elevation and is not stated.

    `None` where there is no such value. Warping would blend it with the elevation beside it.
    """
    dataset = file.dataset
    lowest = (LOWEST_M / metres - dataset.offsets[index - 1]) / dataset.scales[index - 1]
    top, left, height, width = covered(frame, file.own_frame, _MARGIN_PX)
    found: set[float] = set()
    for row in range(top, top + height, _STRIP_PX):
        with reading(file.path):
            values = dataset.read(
                index, window=RasterWindow(left, row, width, min(_STRIP_PX, top + height - row))
            )
        found |= set(np.unique(values[values < lowest]).tolist())
        if len(found) > 1:
            remedy = 'Name the right one with `gdal_edit.py -a_nodata VALUE`'
            raise SceneError.mismatch(
                'elevation',
                f'have one value below {LOWEST_M:.0f} m, for voids',
                sorted(found)[:3],
                file.path,
                remedy,
            )
    return found.pop() if found else None


def slope_deg(dem_m: np.ndarray, width_m: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    """Return the slope of every pixel but the outermost.

    A neighbour without data is continued from the two pixels beyond it in its column, else in its
    row, as gdaldem does at the edge of a file; where those are missing too, the ground counts as
    level. So a plane keeps its slope up to the edge of the data.

    Args:
        dem_m: (H + 2, W + 2) elevation in metres, NaN where there is none; one pixel of margin on
            each side.
        width_m: (H,) width of a pixel in each row, metres.
        height_m: (H,) height of a pixel in each row, metres.

    Returns:
        (H, W) float32 degrees in [0, 90), NaN where there is no elevation.
    """
    near = _neighbours(dem_m.astype(np.float64))
    rise_east = (near[:, 2] - near[:, 0])[[0, 1, 1, 2]].sum(axis=0) / (8 * width_m[:, None])
    rise_south = (near[2] - near[0])[[0, 1, 1, 2]].sum(axis=0) / (8 * height_m[:, None])
    slope = np.degrees(np.arctan(np.hypot(rise_east, rise_south)))
    return np.where(np.isnan(dem_m[1:-1, 1:-1]), np.nan, slope).astype(np.float32)


def _neighbours(dem_m: np.ndarray) -> np.ndarray:
    """Return every pixel's neighbours from north-west to south-east, itself in the middle, (3, 3, H, W), none missing."""
    near = sliding_window_view(
        dem_m, (dem_m.shape[0] - 2, dem_m.shape[1] - 2)
    ).copy()  # (3, 3, H, W)
    for ring in (near, near.swapaxes(0, 1)):
        for edge in (0, 2):
            np.copyto(ring[edge], 2 * ring[1] - ring[2 - edge], where=np.isnan(ring[edge]))
    np.copyto(near, near[1, 1], where=np.isnan(near))
    return near
