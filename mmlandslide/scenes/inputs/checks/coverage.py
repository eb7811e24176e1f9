"""Whether a raster covers a scene."""

from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.frame import GeoBox, Window, project

#: Positions along each side of a scene that are looked at; sides of one map bend in another.
_STEPS = 21


def uncovered_px(frame: GeoBox, other: GeoBox) -> float:
    """Return by how many pixels of `other` a scene reaches beyond it.

    0 where it is covered, infinite where nothing can be said.

    Args:
        frame: of the scene, on a map.
        other: of the raster, on a map.
    """
    cols, rows = _outline(frame, other)
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return float('inf')
    return float(
        max(-cols.min(), -rows.min(), cols.max() - other.width, rows.max() - other.height, 0.0)
    )


def covered(frame: GeoBox, other: GeoBox, margin_px: int) -> Window:
    """Return the part of a raster that a scene draws on.

    Args:
        frame: of the scene.
        other: of the raster, on a map; nothing is returned where none of its places is known.
        margin_px: by which the part is larger on each side, where the raster goes on.
    """
    cols, rows = _outline(frame, other)
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return 0, 0, 0, 0
    left, top = (int(np.floor(each.min())) - margin_px for each in (cols, rows))
    right, bottom = (int(np.ceil(each.max())) + margin_px for each in (cols, rows))
    return other.inside((top, left, bottom - top, right - left))


def _outline(frame: GeoBox, other: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows (N,) in `other` of positions along the sides of a scene.

    Not finite where there are none.
    """
    if other.transform.is_degenerate:
        return np.array([np.nan]), np.array([np.nan])
    along = np.linspace(0, 1, _STEPS)
    zero, one = np.zeros(_STEPS), np.ones(_STEPS)
    cols = np.concatenate([along, one, along, zero]) * frame.width
    rows = np.concatenate([zero, along, one, along]) * frame.height
    x, y = frame.transform @ (cols, rows)
    x, y = project(frame.crs, other.crs, x, y)
    if other.crs is not None and other.crs.is_geographic:  # longitudes go round: 180.1 is -179.9
        middle = (other.bounds.left + other.bounds.right) / 2
        x = middle + (x - middle + 180) % 360 - 180
    cols, rows = ~other.transform @ (x, y)
    return cols, rows


def require_cover(
    frame: GeoBox, other: GeoBox, path: Path, subject: str = 'DEM', part_only: bool = False
) -> None:
    """Refuse a raster that ends more than one of its pixels within an edge of the scene.

    Args:
        frame: of the scene.
        other: of the raster.
        path: of the raster.
        subject: what it holds.
        part_only: whether a part of the scene is enough.

    Raises:
        SceneError: it has no coordinate reference system, or does not cover the scene.
    """
    if other.crs is None:
        raise no_map(subject, path)
    if part_only and _meets(frame, other):
        return
    if uncovered_px(frame, other) > 1:
        remedy = 'Get one of the whole scene, or cut the scene with `gdal_translate -projwin`'
        if subject == 'DEM':
            remedy = (
                'Pass several files with --dem FILE --dem FILE, or say --dem-part: what it leaves '
                f'out counts as no data. {remedy}'
            )
        raise SceneError.mismatch(
            subject,
            f'cover the scene ({_corners(frame)} in {_crs(frame.crs)})',
            f'{_corners(other)} in {_crs(other.crs)}',
            path,
            remedy,
        )


def _meets(frame: GeoBox, other: GeoBox) -> bool:
    """Return whether any of the positions along the sides, or the middle, lie in a raster."""
    cols, rows = _outline(frame, other)
    return bool(
        np.isfinite(cols).all()
        and min(cols.max(), other.width) > max(cols.min(), 0)
        and min(rows.max(), other.height) > max(rows.min(), 0)
    )


def no_map(subject: str, path: Path) -> LandslideError:
    """Return the error for a raster without coordinate reference system."""
    remedy = 'Give it one with `gdal_edit.py -a_srs EPSG:...`'
    return SceneError.mismatch(subject, 'have a coordinate reference system', 'none', path, remedy)


def _corners(frame: GeoBox) -> str:
    left, bottom, right, top = frame.bounds
    return f'{left:.6g} {bottom:.6g} to {right:.6g} {top:.6g}'


def _crs(crs: CRS) -> str:
    """Return the name of a map: its EPSG code where it has one."""
    code = crs.to_epsg()
    return f'EPSG:{code}' if code else crs.to_wkt()
