from pathlib import Path

import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform_bounds

from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.checks.coverage import require_cover, uncovered_px

UTM = CRS.from_epsg(32633)
SCENE = GeoBox(20, 30, from_origin(500000.0, 5000000.0, 10.0, 10.0), UTM)


def raster(left=500000.0, top=5000000.0, height=20, width=30, crs=UTM, pixel=10.0):
    return GeoBox(height, width, from_origin(left, top, pixel, pixel), crs)


@pytest.mark.parametrize(
    ('other', 'beyond_px'),
    [
        (raster(), 0.0),
        (raster(499000.0, 5001000.0, 300, 300), 0.0),
        (raster(500020.0), 2.0),  # the scene begins 20 m west of it
        (raster(height=15), 5.0),
        (
            raster(pixel=30.0, height=5, width=10),
            5 / 3,
        ),  # 150 m high under 200 m, in pixels of 30 m
    ],
)
def test_what_a_raster_leaves_uncovered_is_counted_in_its_pixels(other, beyond_px):
    assert uncovered_px(SCENE, other) == pytest.approx(beyond_px, abs=1e-6)


def test_coverage_is_found_across_projections():
    left, _, right, top = transform_bounds(UTM, 'EPSG:4326', *SCENE.bounds, densify_pts=21)
    degrees = (right - left) / 30
    inside = GeoBox(
        40,
        40,
        from_origin(left - 5 * degrees, top + 10 * degrees, degrees, degrees),
        CRS.from_epsg(4326),
    )
    beside = GeoBox(40, 40, from_origin(left + 10, top, degrees, degrees), CRS.from_epsg(4326))
    assert uncovered_px(SCENE, inside) == 0
    assert uncovered_px(SCENE, beside) > 1000


@pytest.mark.parametrize(('west', 'covers'), [(179.0, True), (-181.0, True), (100.0, False)])
def test_longitudes_go_round(west, covers):
    # About 1.3 km around 180 degrees east at the equator, in UTM zone 60.
    across = GeoBox(128, 128, from_origin(833400.0, 100000.0, 10.0, 10.0), CRS.from_epsg(32660))
    degrees = GeoBox(200, 200, from_origin(west, 2.0, 0.01, 0.01), CRS.from_epsg(4326))
    assert (uncovered_px(across, degrees) == 0) == covers


def test_a_raster_on_a_map_of_nowhere_covers_nothing():
    local = CRS.from_wkt('LOCAL_CS["quarry",UNIT["metre",1]]')
    assert uncovered_px(SCENE, raster(crs=local)) == float('inf')
    assert uncovered_px(SCENE, GeoBox(20, 30, Affine.scale(0.0), UTM)) == float('inf')


def test_an_elevation_model_that_ends_within_the_scene_is_refused():
    expected = (
        r'DEM must cover the scene \(500000 .* in EPSG:32633\), got 500000 .* in EPSG:32633 in '
        r'dem\.tif\. Pass several'
    )
    with pytest.raises(SceneError, match=expected):
        require_cover(SCENE, raster(height=15), Path('dem.tif'))


def test_half_a_pixel_at_the_edge_is_let_through():
    require_cover(SCENE, raster(500005.0, width=29), Path('dem.tif'))


def test_an_elevation_model_without_map_is_refused():
    with pytest.raises(
        SceneError, match=r'DEM must have a coordinate reference system, got none in dem\.tif'
    ):
        require_cover(SCENE, raster(crs=None), Path('dem.tif'))
