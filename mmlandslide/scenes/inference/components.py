"""A predictor without a model: connected components of pixels in which one band is high."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes

from mmlandslide import bands as band_table
from mmlandslide.scenes.inference.predictor import WindowDetections


class ComponentPredictor:
    """Detects the 8-connected components of pixels in which a band lies above a threshold.

    A pure function of the pixels: a baseline, and a reference for tests of tiled inference.

    Args:
        bands: names or groups of the windows' channels.
        band: name of the band with the threshold.
        threshold: in stored units.
        min_pixels: smallest number of pixels of a component.

    Raises:
        BandError: the band is not among the bands, or a band's mean is not known.
    """

    def __init__(
        self, bands: str | Sequence[str], band: str, threshold: float, min_pixels: int = 4
    ) -> None:
        self.bands = band_table.names(bands)
        self.fill: NDArray[np.float32] = np.asarray(
            band_table.statistics(self.bands)[0], np.float32
        )
        self._index = band_table.positions(band, self.bands, 'the bands of the windows')[0]
        self._threshold = threshold
        self._min_pixels = min_pixels

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return the box of each component; its score is the share of the box that it covers."""
        return [self._groups(image[self._index] > self._threshold) for image in images]

    def _groups(self, high: NDArray[np.bool_]) -> WindowDetections:
        outlines = [
            shapely.geometry.shape(outline)
            for outline, _ in shapes(high.astype(np.uint8), mask=high, connectivity=8)
        ]
        large = [each for each in outlines if each.area >= self._min_pixels]
        boxes = np.array([each.bounds for each in large]).reshape(-1, 4)
        covered = np.array([each.area for each in large])
        return boxes, covered / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
