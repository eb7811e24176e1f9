import json
import math
import time
from dataclasses import replace
from datetime import datetime, timezone

import geopandas as gpd
import numpy as np
import planted_scene
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.transform import from_origin

from mmlandslide.errors import SceneError, StorageError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.outputs import vector
from mmlandslide.scenes.outputs.vector import to_geodataframe, write

TAKEN = datetime(2015, 7, 11, 10, 0, 6)


def found(*boxes):
    detections = Detections.of(
        np.array(boxes, float).reshape(-1, 4), np.linspace(0.9, 0.5, len(boxes)), (0, 0)
    )
    detections.table[:, 7:11] = [100, 1, 2, 3]
    return detections


def layer(*boxes, **changes):
    return to_geodataframe(found(*boxes), replace(planted_scene.scene(), **changes))


def test_boxes_stand_where_the_transform_puts_them():
    # 10 m pixels from x 500000, y 5000000.
    [polygon] = layer((2, 3, 4.5, 8)).geometry
    assert polygon.bounds == (500020, 4999920, 500045, 4999970)
    assert polygon.exterior.is_ccw


def test_what_a_user_reads_is_in_plain_units():
    row = layer((0, 0, 2, 3), acquired=TAKEN).iloc[0]
    # Stored slope 1 and elevations 2 and 3, times Landslide4Sense's divisors.
    assert row['slope_deg'] == pytest.approx(20.29228266)
    assert (row['elevation_min_m'], row['elevation_max_m']) == pytest.approx(
        (2 * 772.83144788, 3 * 772.83144788)
    )
    assert (row['score'], row['acquired'].isoformat()) == (0.9, '2015-07-11T10:00:06+00:00')
    # 6 pixels of 100 m2; UTM shrinks lengths by 0.9996 at its central meridian.
    assert row['area_m2'] == pytest.approx(600 / 0.9996**2, rel=1e-4)


def test_deviations_of_sides_are_metres_where_the_detector_predicts_them():
    assert not {name for name in layer((0, 0, 2, 3)) if name.startswith('std_')}
    stds = np.array([[0.5, 1, 1.5, 2]])
    boxes = Detections.of(np.array([[0.0, 0, 2, 3]]), np.array([0.9]), (0, 0), stds)
    row = to_geodataframe(boxes, planted_scene.scene()).iloc[0]  # 10 m pixels, as above
    sides = [row[f'std_{side}_m'] for side in ('left', 'top', 'right', 'bottom')]
    assert sides == pytest.approx([5, 10, 15, 20], rel=1e-3)


def test_areas_of_geographic_pixels_shrink_towards_the_pole():
    frame = GeoBox(90, 110, from_origin(10, 60, 0.001, 0.001), CRS.from_epsg(4326))
    areas = layer((0, 0, 1, 1), frame=frame)['area_m2']
    # 111.4 m of latitude at 60 degrees; 111.32 m * cos(60) * 1.0025 of longitude on the ellipsoid.
    assert areas[0] == pytest.approx(
        111.41 * 111.32 * math.cos(math.radians(60)) * 1.0025, rel=1e-3
    )


@pytest.mark.parametrize('epsg', [32633, 4326])
@pytest.mark.parametrize('acquired', [None, TAKEN, TAKEN.replace(tzinfo=timezone.utc)])
def test_a_geopackage_comes_back_as_it_was(tmp_path, epsg, acquired):
    origin = (
        from_origin(500000, 5000000, 10, 10) if epsg == 32633 else from_origin(10, 60, 1e-4, 1e-4)
    )
    own = layer(
        (2, 3, 4.5, 8),
        (5, 5, 9, 9),
        frame=GeoBox(90, 110, origin, CRS.from_epsg(epsg)),
        acquired=acquired,
    )
    write(own, tmp_path / 'a.gpkg')
    back = gpd.read_file(tmp_path / 'a.gpkg')
    assert back.crs.to_epsg() == epsg
    assert [list(polygon.bounds) for polygon in back.geometry] == [
        list(polygon.bounds) for polygon in own.geometry
    ]
    assert back.drop(columns=['acquired', 'geometry']).equals(
        own.drop(columns=['acquired', 'geometry'])
    )
    assert (
        back['acquired'].isna().all()
        if acquired is None
        else (back['acquired'] == own['acquired']).all()
    )


def test_geojson_is_in_longitude_and_latitude_against_the_clock(tmp_path):
    own = layer((2, 3, 4.5, 8))
    write(own, tmp_path / 'a.geojson')
    content = json.loads((tmp_path / 'a.geojson').read_text())
    assert 'crs' not in content  # RFC 7946, section 4
    [ring] = content['features'][0]['geometry']['coordinates']
    lon, lat = np.array(ring).T
    assert lon.min() == pytest.approx(
        15.000253, abs=2e-6
    )  # the central meridian of zone 33 is 15 degrees east
    assert lat.max() == pytest.approx(own.to_crs(4326).total_bounds[3], abs=2e-7)
    assert gpd.read_file(tmp_path / 'a.geojson').geometry[0].exterior.is_ccw


def test_unknown_ground_is_null(tmp_path):
    detections = Detections.of(np.array([[1.0, 1, 2, 2]]), np.array([0.5]), (0, 0))
    write(to_geodataframe(detections, planted_scene.scene()), tmp_path / 'a.geojson')
    properties = json.loads((tmp_path / 'a.geojson').read_text())['features'][0]['properties']
    assert (properties['slope_deg'], properties['acquired']) == (None, None)


@pytest.mark.parametrize('suffix', ['.gpkg', '.geojson'])
def test_no_detections_are_a_layer_with_the_same_columns(tmp_path, suffix):
    write(layer(), tmp_path / f'a{suffix}')
    back = gpd.read_file(tmp_path / f'a{suffix}')
    assert len(back) == 0
    if suffix == '.gpkg':  # GeoJSON has no columns without features
        assert list(back.columns) == list(layer((0, 0, 1, 1)).columns)
        assert back.crs.to_epsg() == 32633


def test_a_plain_tile_has_pixels_for_coordinates(tmp_path):
    own = to_geodataframe(found((2, 3, 4, 8)), planted_scene.scene(crs=None))
    assert (own.crs, own.geometry[0].bounds, own['area_m2'][0]) == (None, (2, 3, 4, 8), 10)
    with pytest.raises(SceneError, match='have a place on the map for GeoJSON, got none'):
        write(own, tmp_path / 'a.geojson')


def test_a_layer_that_lacks_features_on_disk_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(vector.pyogrio, 'read_info', lambda *args, **options: {'features': 1})
    with pytest.raises(StorageError, match='be written whole, got 1 of 2 features'):
        write(layer((0, 0, 1, 1), (2, 2, 3, 3)), tmp_path / 'a.gpkg')


def test_equal_layers_are_equal_files_whenever_they_are_written(tmp_path, monkeypatch):
    monkeypatch.delenv('OGR_CURRENT_DATE', raising=False)
    write(layer((0, 0, 1, 1)), tmp_path / 'a.gpkg')
    time.sleep(0.01)  # a GeoPackage notes milliseconds
    write(layer((0, 0, 1, 1)), tmp_path / 'b.gpkg')
    assert (tmp_path / 'a.gpkg').read_bytes() == (tmp_path / 'b.gpkg').read_bytes()
    assert vector.pyogrio.get_gdal_config_option('OGR_CURRENT_DATE') is None


def test_another_program_reads_the_shapefile(tmp_path):
    shapefile = pytest.importorskip('shapefile')
    own = layer((2, 3, 4.5, 8), (5, 5, 9, 9), acquired=TAKEN).assign(range_distance=0.5)
    own['class'] = 'Erdrutsch é'
    write(own.rename(columns={'score': 'probability'}), tmp_path / 'a.shp')
    assert (tmp_path / 'a.cpg').read_text() == 'UTF-8'
    with shapefile.Reader(str(tmp_path / 'a.shp')) as read:
        [first, second] = read.shapeRecords()
    short = 'id class prob area_m2 valid_shr slope_deg elev_min_m elev_max_m acquired range_dist'
    assert list(first.record.as_dict()) == short.split()
    assert (first.record['class'], first.record['prob']) == ('Erdrutsch é', 0.9)
    assert first.record['acquired'] == '2015-07-11T10:00:06Z'
    assert list(first.shape.bbox) == [500020, 4999920, 500045, 4999970]
    assert second.record['elev_max_m'] == pytest.approx(3 * 772.83144788)


def test_another_program_reads_the_geoparquet(tmp_path):
    parquet = pytest.importorskip('pyarrow.parquet')
    own = layer((2, 3, 4.5, 8), (5, 5, 9, 9), acquired=TAKEN)
    write(own, tmp_path / 'a.parquet')
    table = parquet.read_table(tmp_path / 'a.parquet')
    stated = json.loads(table.schema.metadata[b'geo'])['columns']['geometry']
    assert (stated['encoding'], stated['geometry_types']) == ('WKB', ['Polygon'])
    assert stated['crs']['id'] == {'authority': 'EPSG', 'code': 32633}
    [first, _] = shapely.from_wkb(table['geometry'].to_pylist())
    assert first.bounds == (500020, 4999920, 500045, 4999970)
    assert table['score'].to_pylist() == [0.9, 0.5]
    assert table['acquired'].to_pylist()[0] == TAKEN.replace(tzinfo=timezone.utc)


@pytest.mark.parametrize('suffix', ['.shp', '.parquet'])
@pytest.mark.parametrize('crs', [planted_scene.UTM, None])
def test_no_detections_are_a_whole_file_of_any_format(tmp_path, suffix, crs):
    pytest.importorskip('pyarrow')
    own = to_geodataframe(found(), planted_scene.scene(crs=crs))
    write(own, tmp_path / f'a{suffix}')
    read = gpd.read_parquet if suffix == '.parquet' else gpd.read_file
    assert (len(read(tmp_path / f'a{suffix}')), len(own)) == (0, 0)
