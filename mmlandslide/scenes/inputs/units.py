"""From what files store to Landslide4Sense units.

Digital numbers without offset over the divisor of each band.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mmlandslide.bands import divisors
from mmlandslide.scenes.inputs.formats.band_names import is_reflectance


class Units:
    """A gain and an offset for each band.

    Args:
        bands: names.
        per_unit: Sentinel-2 digital numbers per unit of the file, 1 where it holds such numbers.
        offsets: band -> digital numbers to add before the division; 0 for those not named.
        stored: names of bands whose values are in Landslide4Sense units already.
    """

    def __init__(
        self,
        bands: Sequence[str],
        per_unit: float = 1.0,
        offsets: Mapping[str, float] | None = None,
        stored: Sequence[str] = (),
    ) -> None:
        light = np.array([is_reflectance(band) and band not in stored for band in bands])
        divisor = np.array(
            [
                1.0 if band in stored else number
                for band, number in zip(bands, divisors(bands), strict=True)
            ]
        )
        self.gain = (np.where(light, per_unit, 1.0) / divisor).astype(np.float32)
        offset = np.array([(offsets or {}).get(band, 0.0) for band in bands])
        self.offset = (np.where(light, offset, 0.0) / divisor).astype(np.float32)
        self.floor = np.where(light, 0.0, -np.inf).astype(np.float32)

    def convert(self, values: np.ndarray) -> np.ndarray:
        """Return (C, h, w) float32 in Landslide4Sense units.

        Light is never negative, as in products without offset.
        """
        converted = values * self.gain[:, None, None] + self.offset[:, None, None]
        return np.maximum(converted, self.floor[:, None, None])
