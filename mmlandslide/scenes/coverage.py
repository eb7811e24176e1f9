"""Whether a raster covers a scene."""

from pathlib import Path

import numpy as np
from rasterio.warp import transform as project

from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import MapFrame

#: Positions along each side of a scene that are looked at; sides of one map bend in another.
_STEPS = 21


def uncovered_px(frame: MapFrame, other: MapFrame) -> float:
    """Return by how many pixels of `other` a scene reaches beyond it; 0 where it is covered.

    Args:
        frame: of the scene, on a map.
        other: of the raster, on a map.
    """
    along = np.linspace(0, 1, _STEPS)
    zero, one = np.zeros(_STEPS), np.ones(_STEPS)
    cols = np.concatenate([along, one, along, zero]) * frame.width
    rows = np.concatenate([zero, along, one, along]) * frame.height
    x, y = frame.transform * (cols, rows)
    x, y = project(frame.crs, other.crs, x, y)
    cols, rows = ~other.transform * (np.asarray(x), np.asarray(y))
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return float('inf')
    return float(max(-cols.min(), -rows.min(), cols.max() - other.width, rows.max() - other.height, 0.0))


def require_cover(frame: MapFrame, other: MapFrame, path: Path) -> None:
    """Refuse an elevation model that leaves more than a pixel's width of the scene without elevation.

    Args:
        frame: of the scene.
        other: of the elevation model.
        path: of the elevation model.

    Raises:
        SceneError: it has no coordinate reference system, or does not cover the scene.
    """
    if other.crs is None:
        raise SceneError.mismatch(
            'raster file', 'have a coordinate reference system', 'none', path, 'Give it one with `gdal_edit.py -a_srs EPSG:...`'
        )
    beyond = uncovered_px(frame, other)
    if beyond > 1:
        raise SceneError.mismatch(
            'DEM',
            f'cover the scene ({_corners(frame)} in {frame.crs})',
            f'{_corners(other)} in {other.crs}',
            path,
            'Get a DEM of the whole scene, or cut the scene to the DEM with `gdal_translate -projwin`',
        )


def _corners(frame: MapFrame) -> str:
    left, bottom, right, top = frame.bounds
    return f'{left:.6g} {bottom:.6g} to {right:.6g} {top:.6g}'
