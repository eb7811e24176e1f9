"""A detector of 8-bit RGB tiles as one of reflectance: windows are stretched as its tiles were.

Its tiles were Landslide4Sense's B4, B3 and B2, each stretched from the tile's minimum to its
maximum to 8 bits, enlarged, and saved as JPEG, whose chroma has half the resolution. The stretch
belongs to the reading side, not into the exported graph: a pixel without data must not count, and
the graph is not told which have none.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmlandslide.bands import GROUPS
from mmlandslide.errors import SceneError
from mmlandslide.scenes.inference.predictor import WindowDetections
from mmlandslide.scenes.scene import Scene

#: What a detector of 8-bit RGB tiles looks at, and what such tiles were made of.
RGB8, REFLECTANCE = GROUPS['rgb8'], GROUPS['rgb']
#: Of the tiles of training, by their tables; Pillow halves chroma as they do.
JPEG_QUALITY = 75
#: How far a picture's pixels may be from those that the detector knows.
_LARGEST_RATIO = 1.34


class Rgb8Predictor:
    """Detects landslides in windows of reflectance with a detector of 8-bit RGB tiles.

    Args:
        predictor: whose bands are `RGB8`.
        zoom: factor by which windows are enlarged (bilinear) before it sees them.
        stretched: whether windows hold `REFLECTANCE` in any linear unit; else they are 8 bit.

    Attributes:
        bands: of the windows.
        fill: NaN for each band where windows are stretched, so that it tells what has no data.
        calibration: of the predictor.
        training_range: of the predictor.
    """

    def __init__(self, predictor: Any, zoom: float = 1.0, stretched: bool = True) -> None:
        self._predictor, self._zoom, self._stretched = predictor, zoom, stretched
        self.bands: tuple[str, ...] = REFLECTANCE if stretched else tuple(predictor.bands)
        self.fill: NDArray[np.float32] = (
            np.full(len(self.bands), np.nan, np.float32) if stretched else predictor.fill
        )
        self.calibration = getattr(predictor, 'calibration', None)
        self.training_range = getattr(predictor, 'training_range', None)

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return the detections of each of (B, 3, h, w) windows, in their own pixels."""
        found = self._predictor.predict(self.shown(images))
        # What comes after the scores, standard deviations of sides, is in pixels as boxes are.
        return [
            (boxes / self._zoom, scores, *(each / self._zoom for each in rest))
            for boxes, scores, *rest in found
        ]

    def shown(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (B, 3, h, w) windows as the detector is given them."""
        shown = images
        if self._stretched:
            shown = np.stack([stretch(image, self._predictor.fill) for image in images])
        if self._zoom != 1:
            shown = np.stack([enlarged(image, self._zoom) for image in shown])
        return np.stack([compressed(image) for image in shown]) if self._stretched else shown


def stretch(image: NDArray[np.float32], fill: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a window (C, h, w) with each band stretched from its minimum to its maximum.

    Args:
        image: in any linear unit, NaN where there are no data.
        fill: (C,) values for what has no data.

    Returns:
        Whole numbers from 0 to 255 as float32; a constant band is 0, as its minimum is.
    """
    known = np.isfinite(image).all(axis=0)
    shown = np.repeat(fill[:, None].astype(np.float32), known.size, axis=1).reshape(image.shape)
    if known.any():
        seen = image[:, known].astype(np.float64)
        low = seen.min(axis=1, keepdims=True)
        span = np.maximum(seen.max(axis=1, keepdims=True) - low, np.finfo(np.float32).tiny)
        shown[:, known] = np.rint((seen - low) / span * 255)
    return shown


def enlarged(image: NDArray[np.float32], zoom: float) -> NDArray[np.float32]:
    """Return a window (C, h, w) enlarged by a factor, bilinear."""
    size_wh = round(image.shape[2] * zoom), round(image.shape[1] * zoom)
    bands = (Image.fromarray(np.ascontiguousarray(band, np.float32)) for band in image)
    return np.stack([np.asarray(band.resize(size_wh, Image.Resampling.BILINEAR)) for band in bands])


def compressed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture (3, h, w), 0 to 255, as JPEG gives it back: quality 75, chroma halved."""
    pixels = np.rint(image).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, 'JPEG', quality=JPEG_QUALITY)
    with Image.open(content) as back:
        return np.ascontiguousarray(np.asarray(back).transpose(2, 0, 1), dtype=np.float32)


def has_pixels_of_tiles(scene: Scene, scale: float) -> bool:
    """Return whether a picture's pixels are those of the tiles of training, or of 10 m.

    A picture without a map is taken for such a tile.

    Args:
        scene: of 8-bit bands.
        scale: pixels of a tile per pixel of 10 m.

    Raises:
        SceneError: they are neither within a third.
    """
    if scene.crs is None:
        return True
    off = {size: max(scene.gsd_m / size, size / scene.gsd_m) for size in (10.0, 10.0 / scale)}
    nearest = min(off, key=off.__getitem__)
    if off[nearest] > _LARGEST_RATIO:
        got = f'{scene.gsd_m:.3g} m'
        remedy = 'Resample it with `gdalwarp -tr 10 10`'
        sizes = f'have pixels of about {10 / scale:.3g} or 10 m'
        raise SceneError.mismatch('picture', sizes, got, scene.name, remedy)
    return nearest != 10.0
