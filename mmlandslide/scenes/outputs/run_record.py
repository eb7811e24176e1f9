"""What a run states of itself, so that it can be repeated and its result trusted."""

import logging
import platform
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np

from mmlandslide import __version__
from mmlandslide.scenes.inputs.band_names import CIRRUS, is_reflectance
from mmlandslide.scenes.scene import Scene

_LOGGER = logging.getLogger(__name__)
#: Longer side of the picture in which gaps are looked for, and the share of pixels from which they
#: are told.
_LONGEST_PX, _MUCH = 512, 0.01
_PACKAGES = (
    'torch',
    'torchvision',
    *(
        'mmdet',
        'mmengine',
        'mmcv-lite',
        'mmcv',
        'onedl-mmdetection',
        'onedl-mmengine',
        'onedl-mmcv',
    ),
    *('numpy', 'rasterio', 'geopandas', 'pyogrio', 'shapely'),
)


def versions() -> dict[str, str]:
    """Return the version of this package, of Python and of every package that decides what is found or how it is written."""
    found = {'mmlandslide': __version__, 'python': platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # of the other stack
    return found


def scene_facts(scene: Scene) -> dict[str, Any]:
    """Return what a scene is, and the files that it was read from."""
    return {
        'name': scene.name,
        'bands': scene.bands,
        'height': scene.height,
        'width': scene.width,
        'crs': None if scene.crs is None else scene.crs.to_string(),
        'transform': list(scene.transform)[:6],
        'gsd_m': scene.gsd_m,
        'acquired': None if scene.acquired is None else scene.acquired.isoformat(),
        'inputs': [asdict(each) for each in scene.inputs],
        **scene.facts,
    }


def light_without_elevation(scene: Scene) -> float | None:
    """Return the share of the pixels with light that lack elevation, seen from afar.

    `None` without light, elevation or map.

    Raises:
        SceneError: a file cannot be read.
    """
    light = [band for band in scene.pictured if is_reflectance(band) and band != CIRRUS]
    if scene.crs is None or not light or 'DEM' not in scene.pictured:
        return None
    shrink = min(1.0, _LONGEST_PX / max(scene.height, scene.width))
    size_hw = max(1, round(scene.height * shrink)), max(1, round(scene.width * shrink))
    lit, raised = np.isfinite(scene.overview([light[0], 'DEM'], size_hw))
    return float((lit & ~raised).sum() / lit.sum()) if lit.any() else None


def warn_of_gaps(name: str, without_elevation: float | None) -> None:
    """Say before a search that much of a scene will not be searched for want of elevation."""
    if without_elevation is not None and without_elevation > _MUCH:
        _LOGGER.warning(
            '%s: the DEM has no data for %.1f %% of the scene, which is not searched',
            name,
            100 * without_elevation,
        )
