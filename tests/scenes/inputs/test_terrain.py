import numpy as np
import pytest
import scene_files
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_origin

from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.band_files import BandSource
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.slope import slope_deg
from mmlandslide.scenes.inputs.terrain import terrain_layer

SCENE = GeoBox(60, 60, from_origin(400080.0, 4999920.0, 10.0, 10.0), CRS.from_epsg(32633))
#: 28 by 28 pixels of 30 m around the scene, which rise 15 m each: 26.57 degrees.
PLANE = np.mgrid[:28, :28][1].astype(np.float32) * 15 + 500


def elevation(path, bands=('DEM', 'slope'), frame=SCENE):
    layer = terrain_layer(
        bands, {'DEM': BandSource(path)}, frame, path.parent / 'scene.tif', InputOptions()
    )
    return layer.read((0, 0, frame.height, frame.width))


def test_voids_that_no_file_states_leave_the_ground_around_them_as_it_is(tmp_path):
    holed = PLANE.copy()
    holed[12:15, 12:15] = -9999
    path = scene_files.write_raster(tmp_path / 'dem.tif', holed, 30.0)
    dem_m, slope = elevation(path)
    known = ~np.isnan(dem_m)
    assert 0.9 < known.mean() < 1
    assert dem_m[known].min() >= 500
    assert slope[known].max() < 35


@pytest.mark.parametrize('nodata', [None, -32768, -9999, 0])
def test_voids_of_two_kinds_are_masked_before_warping_whatever_the_tag_says(tmp_path, nodata):
    holed = PLANE.copy()
    holed[12:15, 10:12], holed[12:15, 14:16], holed[5, 5] = -9999, -32768, 3.4e38
    path = scene_files.write_raster(tmp_path / 'dem.tif', holed, 30.0, nodata=nodata)
    dem_m, slope = elevation(path)
    known = ~np.isnan(dem_m)
    assert 0.9 < known.mean() < 1
    assert (dem_m[known].min() >= 500, dem_m[known].max() <= 950) == (True, True)
    assert slope[known].max() < 35


@pytest.mark.parametrize('fills', [(0,), (-1,), (-99, 0), (-500,), (-999, -99, 0)])
def test_a_lowest_number_that_no_shore_leads_to_is_no_elevation(tmp_path, fills):
    holed = PLANE.copy()
    for place, fill in enumerate(fills):
        holed[12, 10 + place] = fill
    dem_m, slope = elevation(scene_files.write_raster(tmp_path / 'dem.tif', holed, 30.0))
    known = ~np.isnan(dem_m)
    assert 0.9 < known.mean() < 1
    assert dem_m[known].min() >= 500
    assert slope[known].max() < 35


@pytest.mark.parametrize('dtype', [np.float32, np.int16])
def test_zeros_above_land_that_lies_below_the_sea_are_no_elevation(tmp_path, dtype):
    holed = (PLANE - PLANE.max() - 60).astype(dtype)
    holed[12, 10] = 0
    dem_m, slope = elevation(scene_files.write_raster(tmp_path / 'dem.tif', holed, 30.0))
    known = ~np.isnan(dem_m)
    assert 0.9 < known.mean() < 1
    assert (dem_m[known].max() < -50, slope[known].max() < 35) == (True, True)


@pytest.mark.parametrize('lowest', [0, -20])
def test_a_shore_and_land_below_the_sea_are_elevation(tmp_path, lowest):
    shore = PLANE - PLANE.min() + lowest
    shore[12:15, 10] = lowest
    dem_m, _ = elevation(scene_files.write_raster(tmp_path / 'dem.tif', shore, 30.0))
    assert not np.isnan(dem_m).any()


def test_elevation_outside_of_all_land_is_refused_where_it_is_no_void(tmp_path):
    path = scene_files.write_raster(tmp_path / 'dem.tif', PLANE * 100, 30.0)  # centimetres
    with pytest.raises(SceneError, match=r'between -500 and 9000 m, .* in .*dem\.tif\. State its'):
        elevation(path)


def test_voids_beyond_the_scene_do_not_count(tmp_path):
    holed = PLANE.copy()
    holed[0, :2] = -9999, -32768
    far = GeoBox(30, 30, from_origin(400300.0, 4999700.0, 10.0, 10.0), CRS.from_epsg(32633))
    assert not np.isnan(
        elevation(scene_files.write_raster(tmp_path / 'dem.tif', holed, 30.0), frame=far)
    ).any()


@pytest.mark.parametrize(
    ('unit', 'metres'), [('m', 1.0), ('Feet', 0.3048), ('US survey foot', 0.3048006)]
)
def test_elevation_in_feet_is_told_in_metres(tmp_path, unit, metres):
    path = scene_files.write_raster(
        tmp_path / 'dem.tif', PLANE / np.float32(metres), 30.0, units=[unit]
    )
    assert np.allclose(elevation(path)[1], np.degrees(np.arctan(0.5)), atol=0.05)


@pytest.mark.parametrize(
    ('name', 'description'),
    [('slope', None), ('N45_hillshade_10', 'Band 1'), ('a', 'Slope [deg]'), ('a', 'B04')],
)
def test_what_is_derived_from_elevation_is_none_unless_it_is_described_as_such(
    tmp_path, name, description
):
    file = tmp_path / f'{name}.tif'
    path = scene_files.write_raster(file, PLANE, 30.0, names=description and [description])
    with pytest.raises(SceneError, match=r"DEM must hold elevation, got '.*' in .*\. Name the"):
        elevation(path)
    scene_files.write_raster(file, PLANE, 30.0, names=['DEM'])
    assert elevation(file)[0].max() > 500


def test_a_map_in_feet_does_not_say_whether_its_elevation_is(tmp_path):
    feet = CRS.from_epsg(2263)
    frame = GeoBox(20, 20, from_origin(400100.0, 4999900.0, 10.0, 10.0), feet)
    path = scene_files.write_raster(tmp_path / 'dem.tif', PLANE, 30.0, crs='EPSG:2263')
    with pytest.raises(SceneError, match=r'be stated where the map is in US survey foot, got none'):
        elevation(path, frame=frame)
    path = scene_files.write_raster(tmp_path / 'm.tif', PLANE, 30.0, crs='EPSG:2263', units=['m'])
    assert elevation(path, frame=frame)[0].min() >= 500


def test_elevation_in_a_unit_that_nobody_knows_is_refused(tmp_path):
    path = scene_files.write_raster(tmp_path / 'dem.tif', PLANE, 30.0, units=['fathom'])
    with pytest.raises(
        SceneError,
        match=r"unit of the elevation must be one of .*, got 'fathom' in .*dem\.tif\. Convert",
    ):
        elevation(path)


@pytest.mark.parametrize('west', [179.9, -180.1])
def test_elevation_across_180_degrees_is_read_on_both_sides(tmp_path, west):
    level = np.full((40, 40), 70, np.float32)
    path = scene_files.write_raster(
        tmp_path / 'dem.tif', level, from_origin(west, 1.0, 0.005, 0.005), crs='EPSG:4326'
    )
    across = GeoBox(128, 128, from_origin(833400.0, 100000.0, 10.0, 10.0), CRS.from_epsg(32660))
    assert np.allclose(elevation(path, ('DEM',), across), 70)


grades = st.floats(-2, 2)


def slope(dem_m, width_m=10.0, height_m=10.0):
    rows = dem_m.shape[0] - 2
    return slope_deg(dem_m.astype(np.float32), np.full(rows, width_m), np.full(rows, height_m))


@given(grades, grades, st.floats(1, 100), st.floats(1, 100))
def test_a_plane_has_the_slope_of_its_gradient_on_pixels_of_any_shape(
    east, south, width_m, height_m
):
    rows, cols = np.mgrid[:6, :7]
    found = slope(east * cols * width_m + south * rows * height_m, width_m, height_m)
    assert np.allclose(found, np.degrees(np.arctan(np.hypot(east, south))), atol=0.02)


def test_horn_weighs_the_middle_twice():
    # East: (0 + 2*0 + 8) - 0 = 8, over 8 * 10 m = 0.1; south: 8 / 80 = 0.1; atan(hypot) = 8.05
    # degrees.
    dem_m = np.zeros((3, 3))
    dem_m[2, 2] = 8.0
    assert slope(dem_m)[0, 0] == pytest.approx(np.degrees(np.arctan(np.hypot(0.1, 0.1))), abs=1e-4)


def test_a_plane_keeps_its_slope_up_to_the_edge_of_the_data():
    dem_m = np.mgrid[:6, :6][0] * 10.0
    dem_m[0], dem_m[:, -1] = np.nan, np.nan
    assert np.allclose(slope(dem_m)[:, :-1], 45, atol=1e-4)


def test_ground_without_elevation_has_no_slope():
    dem_m = np.zeros((5, 5))
    dem_m[2, 2] = np.nan
    found = slope(dem_m)
    assert np.isnan(found[1, 1])
    assert (found[np.isfinite(found)] == 0).all()


def test_each_row_has_its_own_pixel_size():
    dem_m = np.mgrid[:4, :5][1] * 10.0
    found = slope_deg(dem_m.astype(np.float32), np.array([10.0, 20.0]), np.array([10.0, 10.0]))
    assert np.allclose(found[0], 45, atol=1e-4)
    assert np.allclose(found[1], np.degrees(np.arctan(0.5)), atol=1e-4)
