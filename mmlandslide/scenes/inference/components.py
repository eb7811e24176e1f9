"""A predictor without a model: connected components of pixels in which one band is high."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
        _, group, pixels = np.unique(_group_of(high)[high], return_inverse=True, return_counts=True)
        places = np.argwhere(high)[:, ::-1]  # x, y
        boxes = np.full((len(pixels), 4), (np.inf, np.inf, -np.inf, -np.inf))
        np.minimum.at(boxes[:, :2], group, places)
        np.maximum.at(boxes[:, 2:], group, places + 1)
        large = pixels >= self._min_pixels
        boxes = boxes[large]
        return boxes, pixels[large] / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _group_of(high: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return of each pixel that is high the first pixel of its group, by position.

    Neighbours take the least position among them until none changes. GDAL, OpenCV and SciPy do this
    faster; the first has no driver for it while another thread reads a stranger's scene, and an
    install without training has not the others.
    """
    none = high.size
    found = np.where(high, np.arange(none).reshape(high.shape), none)
    while True:
        near = sliding_window_view(np.pad(found, 1, constant_values=none), (3, 3)).min((2, 3))
        further = np.append(near, none)[np.where(high, near, none)]
        if np.array_equal(further, found):
            return found
        found = further
