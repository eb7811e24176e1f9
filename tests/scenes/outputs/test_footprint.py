import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin
from shapely.geometry import shape

from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.outputs.footprint import bbox, outline

#: 100 x 100 px of 0.01 degrees.
GEOGRAPHIC = GeoBox(100, 100, from_origin(10, 60, 0.01, 0.01), CRS.from_epsg(4326))
#: Zone 60 ends at 180 degrees; here 19.9 km (0.9 / 10 degrees at 111.3 km) lie beyond it.
ACROSS = GeoBox(100, 100, from_origin(833000, 100000, 100, 100), CRS.from_epsg(32660))


def test_a_geographic_scene_has_its_own_corners():
    assert bbox(GEOGRAPHIC) == pytest.approx((10, 59, 11, 60))
    assert shape(outline(GEOGRAPHIC)).bounds == pytest.approx((10, 59, 11, 60))
    assert shape(outline(GEOGRAPHIC)).area == pytest.approx(1)


def test_the_outline_runs_against_the_clock_and_is_closed():
    ring = shape(outline(GEOGRAPHIC)).exterior
    assert ring.is_ccw
    assert ring.is_closed


def test_a_curved_edge_is_followed():
    # A line of one northing, 200 km to either side of the central meridian, lies furthest north in
    # its middle.
    frame = GeoBox(10, 400, from_origin(300000, 6600000, 1000, 1000), CRS.from_epsg(32633))
    polygon = shape(outline(frame))
    assert polygon.bounds == pytest.approx(bbox(frame), abs=1e-3)
    north_west = polygon.exterior.coords[0]
    # Meridians converge: 3.5 degrees from the middle, tan(lat) * (200 km)^2 / (2 * 6371 km) is 5.3
    # km or 0.048 degrees.
    assert polygon.bounds[3] - north_west[1] == pytest.approx(0.048, abs=0.003)


def test_the_antimeridian_cuts_the_outline_in_two():
    west, south, east, north = bbox(ACROSS)
    assert (west > 179.9, east < -179.9, south < north) == (True, True, True)
    parts = shape(outline(ACROSS))
    assert parts.geom_type == 'MultiPolygon'
    assert [part.bounds[2] <= 180 and part.bounds[0] >= -180 for part in parts.geoms] == [
        True,
        True,
    ]
    assert sum(part.bounds[2] - part.bounds[0] for part in parts.geoms) == pytest.approx(
        360 + east - west, abs=1e-4
    )


@pytest.mark.parametrize(
    ('west', 'expected'),
    [(190, (-170, -169)), (-190, (170, 171)), (370, (10, 11)), (179.5, (179.5, -179.5))],
)
def test_degrees_beyond_the_antimeridian_are_laid_where_the_earth_has_them(west, expected):
    frame = GeoBox(100, 100, from_origin(west, 60, 0.01, 0.01), CRS.from_epsg(4326))
    assert bbox(frame) == pytest.approx((expected[0], 59, expected[1], 60))
    around = shape(outline(frame))
    assert (around.bounds[0] >= -180, around.bounds[2] <= 180) == (True, True)
    assert around.area == pytest.approx(1)
    assert around.geom_type == ('MultiPolygon' if west == 179.5 else 'Polygon')


@pytest.mark.parametrize(('code', 'pole'), [(3413, 90.0), (3031, -90.0)])
def test_a_scene_around_a_pole_encloses_it(code, pole):
    # 100 km square around the pole: its corners lie 70.7 km off, 0.63 degrees at 111.7 km each.
    frame = GeoBox(100, 100, from_origin(-50000, 50000, 1000, 1000), CRS.from_epsg(code))
    west, south, east, north = bbox(frame)
    assert (west, east) == (-180, 180)
    assert pole in (south, north)
    assert north - south == pytest.approx(0.64, abs=0.02)
    assert shape(outline(frame)).covers(shape({'type': 'Point', 'coordinates': (30, pole)}))


@pytest.mark.parametrize('west', [-180, 0])
def test_a_map_of_the_whole_earth_goes_from_end_to_end(west):
    frame = GeoBox(180, 360, from_origin(west, 90, 1, 1), CRS.from_epsg(4326))
    assert bbox(frame) == (-180, -90, 180, 90)
