"""A scene on the map: layers of raster files on one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmlandslide.scenes.frame import Window
from mmlandslide.scenes.inputs.checks.empty_pixels import black
from mmlandslide.scenes.inputs.formats.band_names import CIRRUS, is_reflectance
from mmlandslide.scenes.inputs.masks import CloudMask
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.terrain import TerrainLayer
from mmlandslide.scenes.inputs.units import Units
from mmlandslide.scenes.scene import Scene


@dataclass(frozen=True)
class BandLayer:
    """Bands as one file stores them.

    Attributes:
        file: that holds them.
        bands: names.
        indexes: of the bands in the file, from 1.
    """

    file: RasterFile
    bands: tuple[str, ...]
    indexes: tuple[int, ...]

    @property
    def sources(self) -> dict[str, int]:
        """Band -> its index in the file."""
        return dict(zip(self.bands, self.indexes, strict=True))

    def read(self, window: Window) -> np.ndarray:
        """Return (C, h, w) float32, NaN where there are no data."""
        return self.file.read(self.indexes, window)


@dataclass(frozen=True)
class RasterScene(Scene):
    """Georeferenced raster files, read in windows.

    Attributes:
        layers: that hold the bands, each once.
        units: of the bands in the order of the layers.
        fill: band that no layer holds -> its value in Landslide4Sense units.
        clouds: that count as no data.
        black_is_data: whether pixels that are 0 in all optical bands at once are ground.
    """

    layers: tuple[BandLayer | TerrainLayer, ...]
    units: Units
    fill: Mapping[str, float] = field(default_factory=dict)
    clouds: CloudMask | None = None
    black_is_data: bool = False

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the bands that files hold, in the order of the layers."""
        return tuple(band for layer in self.layers for band in layer.bands)

    @property
    def is_8_bit(self) -> bool:
        """Whether files store every band that they hold in 8 bits."""
        return all(
            isinstance(layer, BandLayer)
            and {layer.file.dataset.dtypes[index - 1] for index in layer.indexes} == {'uint8'}
            for layer in self.layers
        )

    def stored(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the bands of `held` as files store them, and where all have data and no cloud.

        Returns:
            (C, h, w) float32, NaN where there are no data, and (h, w) bool.
        """
        nothing = np.empty((0, *window[2:]), np.float32)  # all bands may be filled
        stored = np.concatenate([nothing, *(layer.read(window) for layer in self.layers)])
        valid = ~np.isnan(stored).any(axis=0)
        if not self.black_is_data:
            valid &= ~self._black(stored)
        if self.clouds is not None:
            valid &= ~self.clouds.read(window)
        return stored, valid

    def _black(self, stored: np.ndarray) -> np.ndarray:
        """Return where the optical bands hold nothing, see `empty_pixels.black`, (h, w) bool."""
        zeros = [
            (band, zero)
            for layer in self.layers
            if isinstance(layer, BandLayer)
            for band, zero in zip(layer.bands, layer.file.scales(layer.indexes)[1], strict=True)
        ]
        optical = {band: zero for band, zero in zeros if is_reflectance(band) and band != CIRRUS}
        of_band = dict(zip(self.held, stored, strict=True))
        return black([of_band[band] for band in optical], list(optical.values()))

    @property
    def masked_share(self) -> float | None:
        """Share of the scene that its cloud mask hides; `None` without one."""
        return None if self.clouds is None else self.clouds.share(self.frame)

    @property
    def pictured(self) -> tuple[str, ...]:
        """Names of the bands that `overview` shows.

        Optical ones in the order of `bands`, then elevation.
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
        converted = self.units.convert(stored)
        valid &= np.isfinite(converted).all(axis=0)
        found = dict(zip(self.held, converted, strict=True))
        return np.stack(
            [
                found[band] if band in found else np.full(valid.shape, self.fill[band])
                for band in self.bands
            ]
        ), valid
