"""The run record: versions, inputs and gaps, so that a run can be repeated and trusted."""

import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide import __version__
from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.scenes.scene import Scene

_LOGGER = logging.getLogger(__name__)
#: Longer side of the overview in which gaps are looked for; share of pixels above which to warn.
_LONGEST_PX, _MUCH = 512, 0.01
#: Bands in whose data 0 means none. It is a common value of B10 (cirrus).
_OPTICAL = tuple(
    name for name in LANDSLIDE4SENSE if BANDS[name].wavelength_nm is not None and name != 'B10'
)
_PACKAGES = (
    'torch',
    'torchvision',
    'onnxruntime',
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
    """Return the versions of Python and of the packages that decide detections and layers."""
    found = {'mmlandslide': __version__, 'python': platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # of the other stack
    return found


def probability_meaning(calibration: Mapping[str, Any] | None) -> str | None:
    """Return in words what the probabilities of a layer are; `None` where it has scores.

    Args:
        calibration: of the detector, see `evaluation.calibration.probabilities`.
    """
    if calibration is None:
        return None
    tiles = len(calibration.get('tile_ids') or ())
    where = f'fitted on {tiles} tuning tiles' if tiles else 'tuning tiles not stated'
    iou = f'{calibration["iou_thr"]:g}' if 'iou_thr' in calibration else 'not stated'
    return f'that a box hits a landslide (IoU {iou}); {calibration["method"]}, {where}'


def summary(path: Path) -> str:
    """Return in one line what a run found, and on how much of its scene.

    Args:
        path: of the record that the run has written.
    """
    record = json.loads(path.read_text('utf-8'))
    count, hidden = record['detections'], record['masked_share']
    mask = '' if hidden is None else f'; the mask hides {100 * hidden:.0f} %'
    return (
        f'{count} {"landslide" if count == 1 else "landslides"} found; '
        f'{100 * record["valid_share"]:.0f} % of the scene was searched{mask}'
    )


def scene_facts(scene: Scene) -> dict[str, Any]:
    """Return name, bands, grid, time and input files of a scene."""
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


def optical_without_dem_fraction(scene: Scene) -> float | None:
    """Return the share of the pixels with optical data that have no elevation.

    Measured on an overview of at most 512 px. `None` without optical band, DEM or CRS.

    Raises:
        SceneError: a file cannot be read.
    """
    optical = [band for band in scene.pictured if band in _OPTICAL]
    if scene.crs is None or not optical or 'DEM' not in scene.pictured:
        return None
    shrink = min(1.0, _LONGEST_PX / max(scene.height, scene.width))
    size_hw = max(1, round(scene.height * shrink)), max(1, round(scene.width * shrink))
    seen, raised = np.isfinite(scene.overview([optical[0], 'DEM'], size_hw))
    return float((seen & ~raised).sum() / seen.sum()) if seen.any() else None


def valid_fraction(scene: Scene) -> float:
    """Return the share of a scene's pixels that have data in the band shown first.

    Measured on an overview of at most 512 px.

    Raises:
        SceneError: a file cannot be read.
    """
    shrink = min(1.0, _LONGEST_PX / max(scene.height, scene.width))
    size_hw = max(1, round(scene.height * shrink)), max(1, round(scene.width * shrink))
    return float(np.isfinite(scene.overview(scene.pictured[:1], size_hw)).mean())


def warn_of_gaps(name: str, without_dem: float | None) -> None:
    """Warn before inference that part of a scene is skipped for want of elevation.

    Args:
        name: of the scene.
        without_dem: as `optical_without_dem_fraction` returns it.
    """
    if without_dem is not None and without_dem > _MUCH:
        _LOGGER.warning(
            '%s: the DEM has no data for %.1f %% of the scene, which is not searched',
            name,
            100 * without_dem,
        )
