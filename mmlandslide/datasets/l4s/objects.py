"""Landslides of a scene as whole objects: what tile borders cut is put together again."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.affinity import affine_transform
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from mmlandslide.datasets.l4s_grid import GSD_M, TILE_PX, tile_id_of
from mmlandslide.errors import StorageError
from mmlandslide.files import replacing

LAYER = 'landslides'


@dataclass(frozen=True)
class WholeObject:
    """One landslide of a scene.

    Attributes:
        geometry: outline of its pixels, or the box around its boxes; x to the right and y
            downwards, in px of the scene.
        numbers: of the tiles that it lies in, ascending.
        parts: pieces (mask pieces within a row of tiles, or boxes) that it was put together from.
        cut: it reaches the end of the scene or a tile that is missing, and may go on there.
    """

    geometry: BaseGeometry
    numbers: tuple[int, ...]
    parts: int
    cut: bool


def grouped(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return which of `count` pieces belong together, given the pairs that do.

    Args:
        count: of the pieces.
        pairs: positions of two pieces each.

    Returns:
        The positions in each group, ascending; groups in the order of their first piece.
    """
    if not count:
        return []
    one, two = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(one)), (one, two)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    groups: dict[int, list[int]] = {}
    for position, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(position)
    return list(groups.values())


def write_objects(found: Sequence[WholeObject], tile_px: int, path: Path) -> None:
    """Write objects as layer `landslides` of a GeoPackage, in the mosaic's pixel coordinates.

    Columns: `area_px2` of the outline (RGB tiles: of the box), `area_m2` by the ground sampling
    distance, `tiles` (how many), `tile_ids`, `parts`, `cut`.

    Args:
        found: in px of their scene.
        tile_px: side of a tile.
        path: of the file.

    Raises:
        StorageError: it cannot be written.
    """
    gsd_m = GSD_M * TILE_PX / tile_px
    areas_px2 = np.array([each.geometry.area for each in found], np.float64)
    columns = {
        'area_px2': areas_px2,
        'area_m2': areas_px2 * gsd_m**2,
        'tiles': np.array([len(each.numbers) for each in found], np.int64),
        'tile_ids': [' '.join(map(tile_id_of, each.numbers)) for each in found],
        'parts': np.array([each.parts for each in found], np.int64),
        'cut': np.array([each.cut for each in found], bool),
    }
    layer = gpd.GeoDataFrame(columns, geometry=[_on_map(each.geometry) for each in found])
    with replacing(path) as temporary:
        named = temporary.with_suffix('.gpkg')  # GDAL would warn of another ending
        try:
            _write(layer, named)
            named.replace(temporary)
        except (RuntimeError, OSError) as error:  # pyogrio's own are of the first kind
            got, remedy = repr(str(error)), 'Free space or allow writing there'
            subject = 'GeoPackage'
            raise StorageError.mismatch(subject, 'be written whole', got, path, remedy) from error
        finally:
            named.unlink(missing_ok=True)


def _write(layer: gpd.GeoDataFrame, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', "'crs' was not provided")  # pixel coordinates have none
        pyogrio.write_dataframe(
            layer, path, layer=LAYER, driver='GPKG', geometry_type='MultiPolygon'
        )


def _on_map(geometry: BaseGeometry) -> MultiPolygon:
    """Return a geometry with y upwards, as the mosaic's transform has it."""
    flipped = affine_transform(geometry, [1, 0, 0, -1, 0, 0])
    return flipped if isinstance(flipped, MultiPolygon) else MultiPolygon([flipped])
