"""A scene on the map: layers of raster files on one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmlandslide.scenes.frame import Window
from mmlandslide.scenes.inputs.layers import BandLayer, CloudMask
from mmlandslide.scenes.inputs.terrain import TerrainLayer
from mmlandslide.scenes.inputs.units import Units
from mmlandslide.scenes.scene import Scene


@dataclass(frozen=True)
class RasterScene(Scene):
    """Georeferenced raster files, read in windows.

    Attributes:
        layers: that hold the bands, each once.
        units: of the bands in the order of the layers.
        fill: band that no layer holds -> its value in Landslide4Sense units.
        clouds: that count as no data.
    """

    layers: tuple[BandLayer | TerrainLayer, ...]
    units: Units
    fill: Mapping[str, float] = field(default_factory=dict)
    clouds: CloudMask | None = None

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the bands that files hold, in the order of the layers."""
        return tuple(band for layer in self.layers for band in layer.bands)

    def stored(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the bands of `held` as files store them, (C, h, w) float32, and where all have data and no cloud, (h, w) bool."""
        nothing = np.empty(
            (0, *window[2:]), np.float32
        )  # where all bands are filled there is no layer
        stored = np.concatenate([nothing, *(layer.read(window) for layer in self.layers)])
        valid = ~np.isnan(stored).any(axis=0)
        if self.clouds is not None:
            valid &= ~self.clouds.read(window)
        return stored, valid

    @property
    def pictured(self) -> tuple[str, ...]:
        """Names of the bands that `overview` shows.

        Light in the order of `bands`, then elevation.
        """
        found = {band for layer in self.layers for band in layer.sources}
        return (*(band for band in self.bands if band in found - {'DEM'}), *(found & {'DEM'}))

    def overview(self, bands: Sequence[str], size_hw: tuple[int, int]) -> np.ndarray:
        """Return the whole scene in few pixels as files store it, see `Scene.overview`.

        Never all of it is in memory.
        """
        places = {
            band: (layer.file, index)
            for layer in self.layers
            for band, index in layer.sources.items()
        }
        return np.stack(
            [file.overview(index, size_hw) for file, index in map(places.__getitem__, bands)]
        )

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        stored, valid = self.stored(window)
        found = dict(zip(self.held, self.units.convert(stored), strict=True))
        return np.stack(
            [
                found[band] if band in found else np.full(valid.shape, self.fill[band])
                for band in self.bands
            ]
        ), valid
