"""Vector layer of detections: box polygons with attributes, in any of four file formats."""

from importlib import import_module
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from mmlandslide.bands import BANDS
from mmlandslide.errors import ConfigError, SceneError, StorageError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.scene import Scene
from mmlandslide.scenes.vector_files import gdal_options

LAYER, CLASS = 'landslides', 'landslide'
#: Column of the scores: those of a calibrated detector are probabilities.
SCORE, PROBABILITY = 'score', 'probability'
#: GDAL notes the time of writing in a GeoPackage, which makes equal layers differ; the run's own is
#: in its record.
_WRITTEN = {'OGR_CURRENT_DATE': '2000-01-01T00:00:00.000Z'}
_DRIVERS = {
    '.gpkg': ('GPKG', {'VERSION': '1.2'}),
    '.geojson': ('GeoJSON', {'RFC7946': 'YES'}),
    '.shp': ('ESRI Shapefile', {'ENCODING': 'UTF-8'}),
}
PARQUET, SHAPEFILE, GEOJSON = '.parquet', '.shp', '.geojson'
#: Suffix of a layer -> those of the files that stand beside it and are part of it.
PARTS: dict[str, tuple[str, ...]] = {
    '.gpkg': (),
    PARQUET: (),
    SHAPEFILE: ('.shx', '.dbf', '.cpg', '.prj'),
    GEOJSON: (),
}
#: Column -> its name in a Shapefile, which has room for ten characters.
_SHORT = {
    PROBABILITY: 'prob',
    'valid_share': 'valid_shr',
    'elevation_min_m': 'elev_min_m',
    'elevation_max_m': 'elev_max_m',
    'range_distance': 'range_dist',
    'std_right_m': 'std_rght_m',
    'std_bottom_m': 'std_bot_m',
    'area_m2_low': 'area_low',
    'area_m2_high': 'area_high',
}
_LONGEST = 10


def to_geodataframe(found: Detections, scene: Scene, score_name: str = SCORE) -> gpd.GeoDataFrame:
    """Return detections in map coordinates of the scene, sorted by descending score.

    Args:
        found: in the scene's pixels.
        scene: that they are of.
        score_name: `SCORE`, or `PROBABILITY` where a calibration made scores probabilities.

    Returns:
        One row each: `id` from 1, `class`, `score` or `probability` in [0, 1], `valid_share` of the
        box's pixels that have data, `area_m2` of the box on the ellipsoid of
        WGS 84, `slope_deg` (mean under the box), `elevation_min_m`, `elevation_max_m` (NaN where
        the detector looks at no such band), `acquired` (UTC, NaT where nobody knows) and the box as
        polygon. From a detector that predicts them, `std_left_m`, `std_top_m`, `std_right_m` and
        `std_bottom_m`: standard deviations of the box's sides, as the image shows them. Without a
        map: pixel coordinates, no CRS, and the area is in px^2.
    """
    slope, elevation = BANDS['slope'].divisor, BANDS['DEM'].divisor
    acquired = pd.Timestamp(scene.acquired) if scene.acquired is not None else pd.NaT
    acquired = (
        acquired.tz_localize('UTC')
        if acquired is not pd.NaT and acquired.tzinfo is None
        else acquired
    )
    columns = {
        'id': np.arange(1, len(found) + 1),
        'class': pd.Series([CLASS] * len(found), dtype='str'),
        score_name: np.asarray(found.scores, np.float64).round(4),
        'area_m2': areas_m2(found, scene),
        'valid_share': _valid_shares(found),
        'slope_deg': found.slope * slope,
        'elevation_min_m': found.lowest * elevation,
        'elevation_max_m': found.highest * elevation,
        'acquired': pd.Series([acquired] * len(found), dtype='datetime64[ms, UTC]'),
    }
    if np.isfinite(found.side_stds).any():
        columns |= _side_stds_m(found, scene)
    polygons = _polygons(found.boxes_xyxy, scene)
    return gpd.GeoDataFrame(columns, geometry=polygons, crs=map_of(scene))


def _valid_shares(found: Detections) -> NDArray[np.float64]:
    """Return the share of the pixels under each box that have data, (N,)."""
    low, high = np.floor(found.boxes_xyxy[:, :2]), np.ceil(found.boxes_xyxy[:, 2:])
    under = np.maximum((high - low).prod(axis=1), 1)
    return np.asarray((found.pixels / under).clip(0, 1).round(3))


def map_of(scene: Scene) -> str | None:
    """Return the reference system of a scene's layers, as WKT; `None` where it has no map."""
    return None if scene.crs is None else scene.crs.to_wkt()


def score_name(layer: gpd.GeoDataFrame) -> str:
    """Return the column of a layer that holds its scores."""
    return PROBABILITY if PROBABILITY in layer else SCORE


def field_name(column: str, suffix: str) -> str:
    """Return what a column is called in a file of a suffix."""
    return _SHORT.get(column, column) if suffix == SHAPEFILE else column


def require_parquet() -> None:
    """Refuse GeoParquet where nothing can write it.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import_module('pyarrow')
    except ImportError as error:
        remedy = "Run `pip install 'mmlandslide[parquet]'`, or write a .gpkg"
        raise ConfigError.mismatch(
            'environment', 'have pyarrow for GeoParquet', repr(str(error)), 'Python', remedy
        ) from error


def write(layer: gpd.GeoDataFrame, path: Path, name: str = LAYER) -> None:
    """Write a layer and read its size back.

    Args:
        layer: as `to_geodataframe` returns it.
        path: `.gpkg`, `.parquet` or `.shp` in the layer's own reference system, or `.geojson` by
            RFC 7946: longitude and latitude on WGS 84. A Shapefile is several files, its columns
            have names of ten characters, and its times are text.
        name: of the layer within the file, where it has one.

    Raises:
        ConfigError: GeoParquet is asked for, and pyarrow is not installed.
        SceneError: GeoJSON is asked for, and the layer has no place on the map.
        StorageError: the disk is full, or nobody may write there.
    """
    if path.suffix == GEOJSON and layer.crs is None:
        remedy = 'Write a GeoPackage, in pixel coordinates'
        raise SceneError.mismatch(
            'scene', 'have a place on the map for GeoJSON', 'none', path, remedy
        )
    try:
        written = (_parquet if path.suffix == PARQUET else _by_gdal)(layer, path, name)
    except (RuntimeError, OSError) as error:  # pyogrio's own are of the first kind
        raise _not_whole(path, repr(str(error))) from error
    if written != len(layer):
        raise _not_whole(path, f'{written} of {len(layer)} features')


def _by_gdal(layer: gpd.GeoDataFrame, path: Path, name: str) -> int:
    """Write a layer through GDAL; return how many features the file has."""
    driver, options = _DRIVERS[path.suffix]
    shown = _shortened(layer) if path.suffix == SHAPEFILE else layer
    with gdal_options(_WRITTEN):
        pyogrio.write_dataframe(
            shown, path, layer=name, driver=driver, geometry_type='Polygon', **options
        )
    return int(pyogrio.read_info(path, force_feature_count=True)['features'])


def _parquet(layer: gpd.GeoDataFrame, path: Path, name: str) -> int:
    """Write a layer as GeoParquet, which names none; return how many rows the file has."""
    require_parquet()
    layer.to_parquet(path, index=False)
    return int(import_module('pyarrow.parquet').read_metadata(path).num_rows)


def _shortened(layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a layer as a Shapefile can hold it: short names, times as text."""
    times = layer.select_dtypes('datetimetz').columns
    as_text = {each: layer[each].dt.strftime('%Y-%m-%dT%H:%M:%SZ') for each in times}
    found = layer.assign(**as_text).rename(columns=_SHORT)
    assert all(len(each) <= _LONGEST for each in found.columns.drop(found.geometry.name))
    return found


def _not_whole(path: Path, got: str) -> Exception:
    return StorageError.mismatch(
        path.suffix, 'be written whole', got, path.parent, 'Free space or allow writing there'
    )


def _polygons(boxes_xyxy: NDArray[np.float64], scene: Scene) -> NDArray[np.object_]:
    """Return boxes as polygons in map coordinates, rings counter-clockwise on the map."""
    x1, y1, x2, y2 = boxes_xyxy.T
    cols, rows = np.stack([x1, x1, x2, x2, x1]), np.stack([y1, y2, y2, y1, y1])  # (5, N)
    east, north = scene.transform @ (cols, rows)
    return np.asarray(shapely.polygons(np.stack([east, north], axis=-1).transpose(1, 0, 2)), object)


def areas_m2(found: Detections, scene: Scene) -> NDArray[np.float64]:
    """Return the ground (N,) that each box covers, by the size of the pixels in its middle row."""
    width_m, height_m = _pixel_size_m(found, scene)
    sides = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
    return np.asarray(sides.prod(axis=1) * width_m * height_m)


def _side_stds_m(found: Detections, scene: Scene) -> dict[str, NDArray[np.float64]]:
    """Return column -> standard deviation of a side, on the ground (px without a map)."""
    sizes, sides = 2 * _pixel_size_m(found, scene), ('left', 'top', 'right', 'bottom')
    return {
        f'std_{side}_m': std * size
        for side, std, size in zip(sides, found.side_stds.T, sizes, strict=True)
    }


def _pixel_size_m(
    found: Detections, scene: Scene
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return width and height (N,) of a pixel in the middle row of each box."""
    if not len(found):
        return np.ones(0), np.ones(0)
    middle = (found.boxes_xyxy[:, 1] + found.boxes_xyxy[:, 3]) / 2
    return scene.frame.pixel_size_m(middle - 0.5)
