"""Layers of a scene that one file holds: its bands, and the mask of its clouds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.frame import Window
from mmlandslide.scenes.inputs.rasters import RasterFile


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


def _bits(values: np.ndarray) -> np.ndarray:
    """QA60: bit 10 is opaque cloud, bit 11 cirrus."""
    return (np.nan_to_num(values[0]).astype(np.int64) & 0b1100_0000_0000) > 0


#: Kind of cloud mask -> whether its (C, h, w) values, NaN where unknown, mean no clear view of the
#: ground.
KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'nonzero': lambda values: np.nan_to_num(values[0]) != 0,
    # Scene classification of level 2A: no data, saturated, cloud shadow, cloud of medium and high
    # probability, cirrus.
    'scl': lambda values: np.isin(values[0], (0, 1, 3, 8, 9, 10)),
    'qa60': _bits,
    # MSK_CLASSI_B00 of level 1C: bands for opaque cloud, cirrus and snow; snow is ground to be
    # seen.
    'msk_classi': lambda values: (np.nan_to_num(values[:2]) != 0).any(axis=0),
}


@dataclass(frozen=True)
class CloudMask:
    """Pixels whose ground cannot be seen. Where the mask has no value, the view counts as clear.

    Attributes:
        file: the mask.
        kind: of `KINDS`.
    """

    file: RasterFile
    kind: str

    def read(self, window: Window) -> np.ndarray:
        """Return (h, w) bool, true where cloudy."""
        indexes = (1, 2) if self.kind == 'msk_classi' else (1,)
        return KINDS[self.kind](self.file.read(indexes, window))


def cloud_kind(name: str, stated: str | None) -> str:
    """Return the kind of a cloud mask: as stated, else by the name of its file, else `nonzero`.

    Raises:
        ConfigError: no such kind.
    """
    if stated is None:
        return next((kind for kind in KINDS if kind in name.lower()), 'nonzero')
    if stated.lower() not in KINDS:
        raise ConfigError.mismatch(
            'cloud kind',
            f'be one of {list(KINDS)}',
            repr(stated),
            'the options',
            'Name one of those',
        )
    return stated.lower()
