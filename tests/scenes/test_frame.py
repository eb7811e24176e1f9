from pathlib import Path

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox, require_upright

UTM = GeoBox(40, 60, from_origin(500000.0, 5000000.0, 10.0, 10.0), CRS.from_epsg(32633))


def test_a_window_is_cut_to_the_frame():
    assert UTM.inside((-3, 50, 10, 20)) == (0, 50, 7, 10)
    assert UTM.inside((10, 10, 5, 5)) == (10, 10, 5, 5)


@pytest.mark.parametrize('window', [(-9, 0, 9, 5), (40, 0, 5, 5), (0, -80, 5, 5), (99, 99, 5, 5)])
def test_a_window_beyond_the_frame_is_empty(window):
    assert 0 in UTM.inside(window)[2:]


def test_padding_moves_the_origin_and_keeps_the_pixels():
    padded = UTM.padded(2)
    assert (padded.height, padded.width) == (44, 64)
    assert padded.transform @ (2, 2) == UTM.transform @ (0, 0)


def test_pixels_of_utm_are_as_wide_as_they_say_but_for_the_scale_of_the_meridian():
    # On the central meridian (x = 500000 m) one metre of the map is 1 / 0.9996 m of ground.
    width_m, height_m = UTM.pixel_size_m(np.array([0, 39]))
    assert np.allclose([width_m, height_m], 10 / 0.9996, rtol=1e-5)


def test_pixels_of_degrees_narrow_with_latitude():
    # At 60 degrees north one degree is 55 800 m of longitude and 111 412 m of latitude (WGS 84,
    # National Geospatial-Intelligence Agency); at the equator 111 320 and 110 574 m.
    for latitude, east_m, north_m in ((60.0, 55800.0, 111412.0), (0.0, 111320.0, 110574.0)):
        frame = GeoBox(2, 2, from_origin(10.0, latitude + 1e-4, 1e-4, 1e-4), CRS.from_epsg(4326))
        width_m, height_m = frame.pixel_size_m(np.array([0, 1]))
        assert np.allclose(width_m, east_m * 1e-4, rtol=1e-4)
        assert np.allclose(height_m, north_m * 1e-4, rtol=1e-4)


def test_web_mercator_is_not_taken_at_its_word():
    # It stretches by 1 / cos(latitude): 2 at y = 8399737.89 m, 60 degrees north (and 0.3 % of
    # ellipsoid).
    frame = GeoBox(1, 1, from_origin(0.0, 8399737.89, 10.0, 10.0), CRS.from_epsg(3857))
    assert frame.gsd_m == pytest.approx(5.0, rel=5e-3)


def test_a_pixel_across_the_date_line_is_small():
    frame = GeoBox(1, 1, from_origin(180 - 5e-5, 0.0, 1e-4, 1e-4), CRS.from_epsg(4326))
    assert frame.pixel_size_m(np.array([0]))[0] == pytest.approx(11.132, rel=1e-3)


def test_the_same_grid_may_differ_by_rounding_only():
    shifted = GeoBox(40, 60, UTM.transform @ Affine.translation(0.002, 0), UTM.crs)
    assert UTM.same_grid(shifted)
    assert not UTM.same_grid(GeoBox(40, 60, UTM.transform @ Affine.translation(0.5, 0), UTM.crs))
    assert not UTM.same_grid(GeoBox(40, 60, UTM.transform, CRS.from_epsg(32634)))


def test_a_frame_without_map_is_refused():
    with pytest.raises(
        SceneError,
        match=r'coordinate reference system, got none in a\.tif\. Give it one with `gdal_edit\.py',
    ):
        require_upright(GeoBox(4, 4), Path('a.tif'))


@pytest.mark.parametrize(
    ('crs', 'left'),
    [('LOCAL_CS["quarry",UNIT["metre",1]]', 500000.0), ('EPSG:32633', 1e30)],
    ids=['local survey', 'nowhere'],
)
def test_a_frame_that_lies_nowhere_on_earth_is_refused(crs, left):
    frame = GeoBox(4, 4, from_origin(left, 5000000.0, 10.0, 10.0), CRS.from_user_input(crs))
    with pytest.raises(
        SceneError,
        match=r'bounds must lie somewhere on earth, got .* in a\.tif\. Give it the right',
    ):
        require_upright(frame, Path('a.tif'))


@pytest.mark.parametrize('turn', [Affine.rotation(30), Affine.scale(1, -1)])
def test_a_rotated_or_flipped_frame_is_refused(turn):
    with pytest.raises(
        SceneError, match=r'columns that run south, got \[.*\] in a\.tif\. Warp it with `gdalwarp`'
    ):
        require_upright(GeoBox(4, 4, UTM.transform @ turn, UTM.crs), Path('a.tif'))


def test_a_map_of_mars_is_refused_with_the_way_to_search_it_as_tiles():
    mars = CRS.from_wkt(
        'PROJCS["Mars",GEOGCS["Mars",DATUM["D_Mars",SPHEROID["Mars",3396190,0]],'
        'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]],'
        'PROJECTION["Equirectangular"],UNIT["metre",1]]'
    )
    frame = GeoBox(4, 4, from_origin(0.0, 0.0, 10.0, 10.0), mars)
    with pytest.raises(SceneError, match=r'be of the earth, got .*Mars.* in a\.tif\. Only scenes'):
        require_upright(frame, Path('a.tif'))
