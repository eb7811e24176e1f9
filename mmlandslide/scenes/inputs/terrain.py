"""Terrain of a scene: elevation from files, and the slope computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmlandslide.bands import BANDS
from mmlandslide.scenes.frame import GeoBox, Window
from mmlandslide.scenes.inputs.band_files import BandSource
from mmlandslide.scenes.inputs.elevation import LAND_M, metres_of, open_elevation, voids_of
from mmlandslide.scenes.inputs.options import LANDSLIDE4SENSE_UNITS, InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.slope import slope_deg


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
        dem_m[(dem_m < LAND_M[0]) | (dem_m > LAND_M[1])] = np.nan
        found = {'DEM': dem_m[1:-1, 1:-1]}
        if 'slope' in self.bands:
            found['slope'] = slope_deg(
                dem_m, *self.frame.pixel_size_m(np.arange(row, row + height))
            )
        return np.stack([found[band] for band in self.bands])


def terrain_layer(
    bands: tuple[str, ...],
    sources: Mapping[str, BandSource],
    frame: GeoBox,
    grid_path: Path,
    options: InputOptions,
) -> TerrainLayer:
    """Return the layer of elevation and of the slope that is computed from it.

    Args:
        bands: any of `DEM` and `slope`.
        sources: `DEM` -> where it lies, unless the user names files of it.
        frame: of the scene.
        grid_path: file whose grid is the scene's; 0 is an elevation in it whatever it says, for it
            speaks of optical bands.
        options: of the user.

    Raises:
        SceneError: elevation that does not cover the scene, in a unit that nobody knows, or with
            too many values for voids.
    """
    if options.dem_paths or sources['DEM'].path != grid_path:
        paths = options.dem_paths or (sources['DEM'].path,)
        file, index, metres = open_elevation(paths, frame, options.dem_part)
        return TerrainLayer(file, bands, index, frame, metres, margin_px=1)
    path, index = sources['DEM'].path, sources['DEM'].index
    file = RasterFile(path, frame, zero_is_data=True)
    if options.scale == LANDSLIDE4SENSE_UNITS:
        return TerrainLayer(file, bands, index, frame, BANDS['DEM'].divisor)
    metres = metres_of(file, index)
    file = replace(file, voids=voids_of(file, index, frame, metres))
    return TerrainLayer(file, bands, index, frame, metres)
