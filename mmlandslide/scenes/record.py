"""What a run states of itself, so that it can be repeated and its result trusted."""

import platform
from dataclasses import asdict
from importlib import metadata
from typing import Any

from mmlandslide import __version__
from mmlandslide.scenes.scene import Scene

_PACKAGES = (
    'torch',
    'torchvision',
    *('mmdet', 'mmengine', 'mmcv-lite', 'mmcv', 'onedl-mmdetection', 'onedl-mmengine', 'onedl-mmcv'),
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
    }
