"""Expected number and area of landslides per square kilometre of a scene, with a 90 % interval.

What a calibration has fitted on tuning tiles (`evaluation.calibration.block_expectation`) is
applied to squares of about 1 km: it holds where they are drawn like those tiles.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from mmlandslide.evaluation.calibration.block_expectation import QUANTITIES, expectation
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.outputs import vector
from mmlandslide.scenes.scene import Scene

#: What the name of the squares' file ends in before its own suffix.
STEM_END = '.expected'
LAYER = 'expected'
_SIDE_M = 1000.0


def expected_squares(
    found: Detections, scene: Scene, known: NDArray[np.bool_], models: Mapping[str, Any]
) -> gpd.GeoDataFrame:
    """Return what is expected in each square of a scene that has data.

    A scene is divided into equal blocks with sides as near to 1 km as whole numbers of them allow;
    a detection belongs to the block of its centre.

    Args:
        found: every detection, however low its probability.
        scene: on the map.
        known: (h, w) bool, where the scene has data, in any number of pixels.
        models: `blocks` of the calibration.

    Returns:
        One row each: `area_km2` that has data; `count`, `count_low`, `count_high`, the expected
        number with its 90 % interval; `area_m2`, `area_m2_low`, `area_m2_high`, the same of the
        area of their boxes; and the square as polygon.
    """
    grid_hw = _grid_of(scene)
    rows, cols = (
        np.linspace(0, side, num + 1) for side, num in zip(_hw(scene), grid_hw, strict=True)
    )
    area_km2 = _areas_km2(scene, rows, cols) * _shares(known, grid_hw)
    centres = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
    place = np.stack(
        [
            (np.searchsorted(edges, centre, side='right') - 1).clip(0, len(edges) - 2)
            for edges, centre in ((rows, centres[:, 1]), (cols, centres[:, 0]))
        ]
    )
    index = np.ravel_multi_index(tuple(place), grid_hw)
    weights = {'count': found.scores, 'area_m2': found.scores * vector.areas_m2(found, scene)}
    columns: dict[str, NDArray[np.float64]] = {'area_km2': area_km2.ravel()}
    for name in QUANTITIES:
        summed = np.bincount(index, weights[name], area_km2.size).astype(np.float64)
        three = expectation(summed, area_km2.ravel(), models[name])
        columns |= dict(zip((name, f'{name}_low', f'{name}_high'), three, strict=True))
    layer = gpd.GeoDataFrame(
        columns, geometry=_squares(scene, rows, cols), crs=vector.map_of(scene)
    )
    return layer[layer['area_km2'] > 0].reset_index(drop=True)


def write(layer: gpd.GeoDataFrame, path: Path) -> None:
    """Write the squares in the format of the suffix, see `vector.write`.

    Raises:
        StorageError: the disk is full, or nobody may write there.
    """
    vector.write(layer, path, LAYER)


def _hw(scene: Scene) -> tuple[int, int]:
    return scene.height, scene.width


def _grid_of(scene: Scene) -> tuple[int, int]:
    """Return how many blocks a scene is high and wide."""
    height, width = (max(1, round(side * scene.gsd_m / _SIDE_M)) for side in _hw(scene))
    return height, width


def _areas_km2(
    scene: Scene, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the ground (R, C) that each block covers, by the pixels in its middle row."""
    across, along = scene.frame.pixel_size_m((rows[1:] + rows[:-1]) / 2 - 0.5)
    return np.outer(across * along * np.diff(rows), np.diff(cols)) / 1e6


def _shares(known: NDArray[np.bool_], grid_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return the share (R, C) of each block that has data."""
    down, across = (_overlaps(num, side) for num, side in zip(grid_hw, known.shape, strict=True))
    return np.asarray(down @ known.astype(np.float64) @ across.T)


def _overlaps(num: int, side: int) -> NDArray[np.float64]:
    """Return the share (num, side) of each of `num` equal parts that each of `side` pixels is."""
    edges = np.linspace(0, side, num + 1)
    low, high = np.arange(side), np.arange(1, side + 1)
    shared = np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low)
    return np.asarray(shared.clip(0) * num / side)


def _squares(
    scene: Scene, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.object_]:
    """Return the blocks as polygons in map coordinates, row by row."""
    top, left = np.meshgrid(rows[:-1], cols[:-1], indexing='ij')
    bottom, right = np.meshgrid(rows[1:], cols[1:], indexing='ij')
    x = np.stack([left, left, right, right, left]).reshape(5, -1)
    y = np.stack([top, bottom, bottom, top, top]).reshape(5, -1)
    east, north = scene.transform @ (x, y)
    return np.asarray(shapely.polygons(np.stack([east, north], axis=-1).transpose(1, 0, 2)), object)
