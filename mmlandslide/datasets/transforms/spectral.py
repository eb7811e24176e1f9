"""Transforms of the values of a tile, band by band; boxes stay.

What a sample holds and what no transform does is said in `geometry`.
"""

import numpy as np
from mmcv.transforms import BaseTransform

from mmlandslide.bands import BANDS
from mmlandslide.datasets.transforms.geometry import image_of
from mmlandslide.datasets.views.view import Sample
from mmlandslide.registry import TRANSFORMS


def band_statistics(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and std of each band in stored units, (C,) float32.

    The table's where it knows the band, else the tile's own.
    """
    image, bands = sample['img'], sample['bands']
    known = [BANDS.get(name) for name in bands]
    mean = [
        image[index].mean() if entry is None or entry.mean is None else entry.mean
        for index, entry in enumerate(known)
    ]
    std = [
        image[index].std() if entry is None or entry.std is None else entry.std
        for index, entry in enumerate(known)
    ]
    return np.asarray(mean, np.float32), np.asarray(std, np.float32)


@TRANSFORMS.register_module()
class BandDropout(BaseTransform):
    """Blank whole bands, so that no detector leans on one sensor that a scene may lack.

    A blank band holds its mean in stored units, which the preprocessor turns into zero. One band at
    least always stays.

    Args:
        prob: that any band is blanked.
        max_bands: how many are blanked at most; their number is drawn from 1 to this.
    """

    def __init__(self, prob: float = 0.2, max_bands: int = 2) -> None:
        self.prob = prob
        self.max_bands = max_bands

    def transform(self, results: Sample) -> Sample:
        """Return the sample with some bands blank."""
        rng: np.random.Generator = results['rng']
        image = image_of(results)
        most = min(self.max_bands, len(image) - 1)
        if rng.random() >= self.prob or most < 1:
            return results
        blank = rng.choice(len(image), size=int(rng.integers(1, most + 1)), replace=False)
        image = image.copy()
        image[blank] = band_statistics(results)[0][blank, None, None]
        results['img'] = image
        return results


@TRANSFORMS.register_module()
class RandomGain(BaseTransform):
    """Change each band's gain and offset a little, as haze, sun and sensor do.

    Args:
        gain: each band is multiplied by a factor from [1 - gain, 1 + gain].
        offset: and shifted by up to this many of its standard deviations, up or down.
    """

    def __init__(self, gain: float = 0.1, offset: float = 0.05) -> None:
        self.gain = gain
        self.offset = offset

    def transform(self, results: Sample) -> Sample:
        """Return the sample with its bands changed."""
        rng: np.random.Generator = results['rng']
        image = image_of(results)
        gain, offset = rng.uniform(-1, 1, (2, len(image))).astype(np.float32)
        shift = self.offset * offset * band_statistics(results)[1]
        results['img'] = image * (1 + self.gain * gain)[:, None, None] + shift[:, None, None]
        return results
