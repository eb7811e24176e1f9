"""A scene as the detector sees it: named bands in Landslide4Sense units, read window by window."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine

from mmlandslide.scenes.frame import GeoBox, Window


@dataclass(frozen=True)
class InputFile:
    """A file that a scene reads, as a run record states it.

    Attributes:
        path: absolute.
        size_bytes: of the file.
        mtime_ns: time of its last change.
    """

    path: str
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> 'InputFile':
        """Return the record of a file that is there."""
        status = path.stat()
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Scene(ABC):
    """A scene; nothing of it is in memory.

    It may be sent to other processes and read by several threads at once.

    Attributes:
        name: for the files that are made of it, such as
            `S2A_MSIL1C_20150711T100006_N0204_R122_T33TWM_20150711T100008`.
        bands: names, in the order that `read` returns them.
        frame: its grid and place on the map.
        acquired: when it was taken, UTC; `None` where nothing says so.
        inputs: the files that it reads.
        facts: what was decided about them, in types that JSON has, for the run record.
    """

    name: str
    bands: tuple[str, ...]
    frame: GeoBox
    acquired: datetime | None
    inputs: tuple[InputFile, ...]
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False, kw_only=True)

    @property
    def height(self) -> int:
        """In pixels."""
        return self.frame.height

    @property
    def width(self) -> int:
        """In pixels."""
        return self.frame.width

    @property
    def crs(self) -> CRS | None:
        """Coordinate reference system; `None` for a plain tile."""
        return self.frame.crs

    @property
    def transform(self) -> Affine:
        """From (column, row) to map coordinates."""
        return self.frame.transform

    @property
    def gsd_m(self) -> float:
        """Ground sampling distance in metres, 1 for a plain tile."""
        return self.frame.gsd_m

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Read a window.

        Args:
            window: row, column, height and width in pixels of the scene; it may reach beyond the
                scene.

        Returns:
            (C, h, w) float32 in Landslide4Sense units, 0 where not valid, and (h, w) bool, true
            where every band has data and no cloud mask covers it.

        Raises:
            SceneError: a file cannot be read there.
        """
        row, col, height, width = window
        values = np.zeros((len(self.bands), height, width), np.float32)
        valid = np.zeros((height, width), bool)
        top, left, rows, cols = inside = self.frame.inside(window)
        if rows and cols:
            part = np.s_[top - row : top - row + rows, left - col : left - col + cols]
            found, seen = self._read(inside)
            values[(slice(None), *part)] = np.where(seen, found, 0)
            valid[part] = seen
        return values, valid

    @property
    def masked_share(self) -> float | None:
        """Share of the scene that a cloud mask hides; `None` without one."""
        return None

    @property
    def pictured(self) -> tuple[str, ...]:
        """Names of the bands that `overview` shows."""
        return self.bands

    def overview(self, bands: Sequence[str], size_hw: tuple[int, int]) -> np.ndarray:
        """Return the whole scene in few pixels, for the eye.

        As written here, of a scene that fits into memory.

        Args:
            bands: names, of `pictured`.
            size_hw: height and width of the result, at most those of the scene.

        Returns:
            (C, h, w) float32 in any unit, NaN where there are no data.

        Raises:
            SceneError: a file cannot be read.
        """
        values, valid = self.read((0, 0, self.height, self.width))
        share = _shrunk(valid.astype(np.float32), size_hw)
        with np.errstate(invalid='ignore'):
            return np.stack(
                [_shrunk(values[self.bands.index(band)], size_hw) / share for band in bands]
            )

    @abstractmethod
    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Read a window that lies in the scene, as `read` does.

        What is not valid may hold anything.
        """


def _shrunk(band: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the means of the pixels of a band (H, W) in each of fewer (h, w)."""
    picture = Image.fromarray(np.ascontiguousarray(band, np.float32))
    return np.asarray(picture.resize(size_hw[::-1], Image.Resampling.BOX))
