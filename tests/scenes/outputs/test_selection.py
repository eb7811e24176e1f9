import geopandas as gpd
import pytest
from shapely import Point, box

from mmlandslide.errors import ConfigError, MissingPathError, SceneError
from mmlandslide.scenes.outputs.selection import Selection

#: Boxes of 100, 400 and 900 m2, their centres at x = 5, 110 and 215.
LAYER = gpd.GeoDataFrame(
    {'id': [1, 2, 3], 'area_m2': [100.0, 400.0, 900.0]},
    geometry=[box(0, 0, 10, 10), box(100, 0, 120, 20), box(200, 0, 230, 30)],
    crs='EPSG:32633',
)


def polygons(path, geometry, crs='EPSG:32633'):
    gpd.GeoDataFrame(geometry=[geometry], crs=crs).to_file(path)
    return path


@pytest.mark.parametrize(
    ('low', 'high', 'areas'),
    [(None, None, [100, 400, 900]), (400, None, [400, 900]), (None, 400, [100, 400])],
)
def test_areas_between_the_two_are_kept_with_their_ends(low, high, areas):
    kept = Selection(min_area_m2=low, max_area_m2=high).apply(LAYER)
    assert kept['area_m2'].tolist() == areas
    assert kept['id'].tolist() == list(range(1, len(areas) + 1))


@pytest.mark.parametrize('crs', ['EPSG:32633', 'EPSG:4326'])
def test_boxes_whose_centre_lies_in_the_area_of_interest_are_kept(tmp_path, crs):
    area = gpd.GeoSeries([box(-50, -50, 115, 50)], crs='EPSG:32633').to_crs(crs)
    path = polygons(tmp_path / 'aoi.gpkg', area[0], crs)
    assert Selection(path).apply(LAYER)['area_m2'].tolist() == [100, 400]


def test_an_area_elsewhere_keeps_nothing(tmp_path):
    path = polygons(tmp_path / 'aoi.gpkg', box(1e4, 1e4, 2e4, 2e4))
    assert Selection(path).apply(LAYER).empty


def test_points_are_no_area(tmp_path):
    with pytest.raises(SceneError, match='hold polygons'):
        Selection(polygons(tmp_path / 'aoi.gpkg', Point(0, 0))).apply(LAYER)


def test_a_file_that_is_none_and_areas_in_the_wrong_order_are_refused(tmp_path):
    with pytest.raises(MissingPathError, match='area of interest must be a file'):
        Selection(tmp_path / 'nothing.gpkg')
    with pytest.raises(ConfigError, match='at most --max-area, 5, got 6'):
        Selection(min_area_m2=6, max_area_m2=5)
    (tmp_path / 'text.gpkg').write_text('text')
    with pytest.raises(SceneError, match='be a GeoPackage, Shapefile, FlatGeobuf, GeoJSON or KML'):
        Selection(tmp_path / 'text.gpkg').apply(LAYER)
