"""Where a scene lies.

Its grid of pixels, its place on the map, and how large its pixels are on the ground.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyproj
from rasterio.coords import BoundingBox
from rasterio.crs import CRS
from rasterio.transform import Affine, array_bounds

from mmlandslide.errors import SceneError

#: Row, column, height and width in pixels of a scene; it may reach beyond the scene.
Window = tuple[int, int, int, int]

_NO_MAP = Affine.identity()
#: Equatorial radii of earth's ellipsoids in metres; that of Mars is 3 396 190.
_EARTH_RADIUS_M = (6.3e6, 6.45e6)


@dataclass(frozen=True)
class GeoBox:
    """A grid of pixels, and its place on the map where it has one.

    Attributes:
        height: in pixels.
        width: in pixels.
        transform: from (column, row) to map coordinates; the identity where there is no map.
        crs: of the map; `None` for a plain tile.
    """

    height: int
    width: int
    transform: Affine = _NO_MAP
    crs: CRS | None = None

    @property
    def bounds(self) -> BoundingBox:
        """Left, bottom, right and top in map coordinates."""
        return BoundingBox(*array_bounds(self.height, self.width, self.transform))

    def padded(self, margin_px: int) -> 'GeoBox':
        """Return the frame with a margin on all four sides."""
        transform = self.transform @ Affine.translation(-margin_px, -margin_px)
        return GeoBox(self.height + 2 * margin_px, self.width + 2 * margin_px, transform, self.crs)

    def same_grid(self, other: 'GeoBox') -> bool:
        """Return whether both have the same pixels.

        Equal size and map, corners equal to a hundredth of a pixel.
        """
        shift = np.abs(np.subtract(self.bounds, other.bounds)) / np.hypot(
            self.transform.a, self.transform.e
        )
        return (
            (self.height, self.width) == (other.height, other.width)
            and self.crs == other.crs
            and bool((shift < 0.01).all())
        )

    def inside(self, window: Window) -> Window:
        """Return the part of a window that lies in the frame.

        Its height or width is 0 where there is none.
        """
        row, col, height, width = window
        top, left = min(max(row, 0), self.height), min(max(col, 0), self.width)
        bottom, right = (
            max(min(row + height, self.height), top),
            max(min(col + width, self.width), left),
        )
        return top, left, bottom - top, right - left

    def pixel_size_m(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how wide and how high a pixel is on the ground, row by row.

        The pixel in the middle of each row is measured on the ellipsoid of WGS 84, so degrees, feet
        and the stretch of Web Mercator all come out in metres.

        Args:
            rows: (N,) indices of rows.

        Returns:
            Widths (N,) and heights (N,) in metres; 1 without a map.
        """
        if self.crs is None:
            return np.ones(len(rows)), np.ones(len(rows))
        middle = self.width / 2
        rows = np.asarray(rows, np.float64) + 0.5
        across = self._distance_m((middle - 0.5, rows), (middle + 0.5, rows))
        return across, self._distance_m((middle, rows - 0.5), (middle, rows + 0.5))

    def _distance_m(
        self,
        start: tuple[float | np.ndarray, float | np.ndarray],
        end: tuple[float | np.ndarray, float | np.ndarray],
    ) -> np.ndarray:
        """Return the length in metres of short lines between (column, row) positions."""
        lengths = _ellipsoid().inv(*self.lonlat(*start), *self.lonlat(*end))[2]
        return np.asarray(lengths)

    def lonlat(
        self, col: float | np.ndarray, row: float | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return longitude and latitude of pixel positions in degrees of WGS 84.

        NaN where there are none.
        """
        col, row = np.broadcast_arrays(np.asarray(col, float), np.asarray(row, float))
        x, y = self.transform @ (col, row)
        return _transformed(self.crs, 'EPSG:4326', x, y)

    @property
    def gsd_m(self) -> float:
        """Ground sampling distance in metres: the geometric mean of the middle pixel's sides.

        1 without a map.
        """
        across, along = self.pixel_size_m(np.array([self.height // 2]))
        return float(np.sqrt(across[0] * along[0]))


def project(
    source: CRS, target: CRS, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of one map on another, (N,) each.

    NaN for all where the maps have no such place in common.
    """
    return _transformed(source, target, x, y)


def _transformed(
    source: CRS, target: CRS | str, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    try:
        wkt = target if isinstance(target, str) else target.to_wkt()
        x, y = _transformer(source.to_wkt(), wkt).transform(x, y)
    except (pyproj.exceptions.ProjError, ValueError):  # a place that cannot be is no crash
        return np.full(np.shape(x), np.nan), np.full(np.shape(y), np.nan)
    x, y = np.asarray(x), np.asarray(y)
    somewhere = np.isfinite(x) & np.isfinite(y)
    return np.where(somewhere, x, np.nan), np.where(somewhere, y, np.nan)


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=1)
def _ellipsoid() -> pyproj.Geod:
    return pyproj.Geod(ellps='WGS84')


def _on_earth(crs: CRS) -> bool:
    """Return whether the ellipsoid of a map is one of earth's, or there is none to tell."""
    try:
        ellipsoid = pyproj.CRS.from_wkt(crs.to_wkt()).ellipsoid
    except pyproj.exceptions.ProjError:
        return True
    radius_m = _EARTH_RADIUS_M[0] if ellipsoid is None else ellipsoid.semi_major_metre
    return bool(_EARTH_RADIUS_M[0] <= radius_m <= _EARTH_RADIUS_M[1])


def _name_of(crs: CRS) -> str:
    """Return the EPSG code of a map where it has one, else the start of its text."""
    code = crs.to_epsg()
    return f'EPSG:{code}' if code else str(crs.to_wkt()[:60])


def require_upright(frame: GeoBox, path: Path) -> None:
    """Refuse a frame that detections cannot be placed on.

    Args:
        frame: of the file.
        path: of the file, for the error.

    Raises:
        SceneError: no coordinate reference system, or rows and columns that do not run along the
            axes, north up.
    """
    if frame.crs is None:
        remedy = (
            f'Give it one with `gdal_edit.py -a_srs EPSG:... {path.name}`, or pass a folder of '
            f'such files to read plain tiles'
        )
        raise SceneError.mismatch(
            'scene', 'have a coordinate reference system', 'none', path, remedy
        )
    if not _on_earth(frame.crs):
        remedy = (
            'Only scenes on earth are mapped: cut it with `gdal_retile.py -ps 512 512`, take the '
            'place from the tiles with `gdal_edit.py -a_srs ""`, and pass their folder'
        )
        raise SceneError.mismatch(
            'coordinate reference system', 'be of the earth', _name_of(frame.crs), path, remedy
        )
    if not np.isfinite(frame.gsd_m):
        got = f'{", ".join(f"{edge:.6g}" for edge in frame.bounds)} in {frame.crs.to_wkt()[:60]}'
        remedy = 'Give it the right coordinate reference system with `gdal_edit.py -a_srs EPSG:...`'
        raise SceneError.mismatch('bounds', 'lie somewhere on earth', got, path, remedy)
    a, b, _, d, e, _ = frame.transform[:6]
    if b or d or a <= 0 or e >= 0:
        raise SceneError.mismatch(
            'transform',
            'have rows that run east and columns that run south',
            [a, b, d, e],
            path,
            'Warp it with `gdalwarp`',
        )
