"""A predictor without a model: connected components of pixels in which one band is high."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

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
        _, _, stats, _ = cv2.connectedComponentsWithStats(high.view(np.uint8), connectivity=8)
        left, top, width, height, pixels = stats[1:][
            stats[1:, cv2.CC_STAT_AREA] >= self._min_pixels
        ].T  # row 0 is the rest
        return np.stack([left, top, left + width, top + height], axis=1), pixels / (width * height)
