import numpy as np
import pytest
import scene_files
from rasterio import warp
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine

from mmlandslide.bands import BANDS
from mmlandslide.errors import BandError, ConfigError, SceneError
from mmlandslide.scenes.inputs.assembly import assemble, fill_values
from mmlandslide.scenes.inputs.band_files import find_bands
from mmlandslide.scenes.inputs.options import InputOptions

LIGHT = ('B4', 'B3', 'B2')


def stack(
    folder,
    names=(*LIGHT, 'DEM'),
    value=900,
    name='stack.tif',
    size_px=8,
    dtype=np.uint16,
    **options,
):
    array = np.full((len(names), size_px, size_px), value, dtype)
    return scene_files.write_raster(folder / name, array, names=names, **options)


def scene_of(source, bands=LIGHT, **options):
    options = InputOptions(check_values=False, **options)
    return assemble(find_bands(source, options, bands), bands, options)


def test_only_the_bands_asked_for_are_read(tmp_path):
    scene = scene_of(scene_files.write_bands(tmp_path), ('B4', 'B11'))
    assert {path.path.rsplit('_', 1)[1] for path in scene.inputs} == {'B04.tif', 'B11.tif'}
    assert scene.read((0, 0, 24, 24))[1].all()


def test_bands_come_in_the_order_asked_for(tmp_path):
    array = np.arange(1, 4, dtype=np.uint16)[:, None, None] * np.ones((3, 8, 8), np.uint16) * 500
    path = scene_files.write_raster(tmp_path / 'a.tif', array, names=LIGHT)
    values, _ = scene_of(path, ('B2', 'B4')).read((0, 0, 1, 1))
    assert np.allclose(values.ravel(), [1500 / BANDS['B2'].divisor, 500 / BANDS['B4'].divisor])


def test_slope_is_computed_where_the_scene_has_elevation_only(tmp_path):
    assert (
        scene_of(stack(tmp_path), ('slope', 'B4')).read((0, 0, 8, 8))[0][0].tolist()
        == np.zeros((8, 8)).tolist()
    )


def test_a_dem_of_the_user_wins_over_elevation_and_slope_of_the_scene(tmp_path):
    scene_path = stack(tmp_path, (*LIGHT, 'slope', 'DEM'))
    dem = stack(
        tmp_path,
        ('x',),
        value=100,
        name='dem.tif',
        size_px=30,
        origin_xy=(399860.0, 5000140.0),
        dtype=np.float32,
    )
    slope, elevation = scene_of(scene_path, ('slope', 'DEM'), dem=dem).read((0, 0, 8, 8))[0]
    assert not slope.any()
    assert np.allclose(elevation, 100 / BANDS['DEM'].divisor)


def test_a_dem_on_another_grid_is_warped_and_has_slope_at_the_edges_of_the_scene(tmp_path):
    # 30 m pixels that rise 30 m each: 45 degrees everywhere, also where the scene ends.
    right = np.mgrid[:12, :12][1].astype(np.float32) * 30
    dem = scene_files.write_raster(
        tmp_path / 'dem.tif', right, pixel=30.0, origin_xy=(399840.0, 5000160.0)
    )
    scene = scene_of(stack(tmp_path), ('slope',), dem=dem)
    values, valid = scene.read((0, 0, 8, 8))
    assert valid.all()
    assert np.allclose(values * BANDS['slope'].divisor, 45, atol=0.05)
    assert scene.layers[0].file.resampling == Resampling.cubic


def test_a_dem_that_does_not_cover_the_scene_is_refused(tmp_path):
    dem = stack(tmp_path, ('x',), name='dem.tif', origin_xy=(399990.0, 5000040.0))
    with pytest.raises(SceneError, match=r'DEM must cover the scene .* in .*dem\.tif'):
        scene_of(stack(tmp_path), ('slope', 'B4'), dem=dem)


def test_a_band_file_of_another_place_is_refused(tmp_path):
    other = stack(tmp_path, ('x',), name='other.tif', origin_xy=(600000.0, 5000040.0))
    with pytest.raises(SceneError, match=r'file of B8 must cover the scene .* in .*other\.tif'):
        scene_of(stack(tmp_path), ('B4', 'B8'), band_files=[('B8', other)])


def test_a_band_in_another_projection_is_warped(tmp_path):
    # The same place in zone 32, where it lies 9 degrees and more east of the middle: one value, so
    # only coverage can go wrong.
    ((x,), (y,)) = warp.transform('EPSG:32633', 'EPSG:32632', [400000.0], [5000000.0])
    other = stack(
        tmp_path,
        ('x',),
        name='other.tif',
        size_px=60,
        origin_xy=(x - 300, y + 300),
        crs='EPSG:32632',
    )
    scene = scene_of(stack(tmp_path), ('B4', 'B8'), band_files=[('B8', other)])
    values, valid = scene.read((0, 0, 8, 8))
    assert scene.crs == CRS.from_epsg(32633)
    assert valid.all()
    assert np.allclose(values[1], 900 / BANDS['B8'].divisor)


def test_zero_is_no_data_in_light_but_not_in_cirrus_or_elevation(tmp_path):
    array = np.full((3, 2, 2), 900, np.uint16)
    array[2] = 40  # m: from here to 0 it is not far
    array[0, 0, 0] = array[1, 0, 1] = array[2, 1, 0] = 0
    path = scene_files.write_raster(tmp_path / 'a.tif', array, names=('B4', 'B10', 'DEM'))
    assert scene_of(path, ('B4', 'B10', 'DEM')).read((0, 0, 2, 2))[1].tolist() == [
        [False, True],
        [True, True],
    ]


@pytest.mark.parametrize('band', ['slope', 'DEM'])
def test_level_ground_and_ground_at_sea_level_are_data_whatever_the_file_says(tmp_path, band):
    array = np.array([[[900, 900]], [[0, 7]]], np.uint16)
    path = scene_files.write_raster(tmp_path / 'a.tif', array, names=('B4', band), nodata=0)
    assert scene_of(path, ('B4', band)).read((0, 0, 1, 2))[1].all()


def test_where_the_file_says_what_no_data_is_zero_counts_unless_all_bands_are_zero(tmp_path):
    array = np.array([[[0, 5, 0]], [[0, 900, 900]]], np.uint16)
    path = scene_files.write_raster(tmp_path / 'a.tif', array, names=('B4', 'B3'), nodata=5)
    assert scene_of(path, ('B4', 'B3')).read((0, 0, 1, 3))[1].tolist() == [[False, False, True]]


def test_what_the_user_calls_no_data_is_all_of_it_in_a_single_band(tmp_path):
    array = np.array([[[0, 5, 900]]], np.uint16)
    path = scene_files.write_raster(tmp_path / 'a.tif', array, names=('B4',), nodata=5)
    assert scene_of(path, ('B4',)).read((0, 0, 1, 3))[1].tolist() == [[False, False, True]]
    assert scene_of(path, ('B4',), nodata=900).read((0, 0, 1, 3))[1].tolist() == [
        [True, False, False]
    ]


def test_clouds_are_cut_out_on_their_own_grid(tmp_path):
    mask = scene_files.write_raster(
        tmp_path / 'T33TWM_SCL_20m.tif', np.array([[4, 9], [4, 4]], np.uint8), pixel=20.0
    )
    valid = scene_of(stack(tmp_path, size_px=4), cloud_mask=mask).read((0, 0, 4, 4))[1]
    assert valid.tolist() == [[True, True, False, False]] * 2 + [[True] * 4] * 2


def test_a_cloud_mask_of_another_place_is_refused(tmp_path):
    mask = scene_files.write_raster(
        tmp_path / 'scl.tif', np.full((8, 8), 9, np.uint8), origin_xy=(600000.0, 5000040.0)
    )
    with pytest.raises(SceneError, match=r'cloud mask must cover the scene .* in .*scl\.tif'):
        scene_of(stack(tmp_path), cloud_mask=mask)


def test_elevation_for_a_model_that_looks_at_none_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"dem must serve a model of elevation or slope, got \['B4', 'B3', 'B2'\]"
    ):
        scene_of(stack(tmp_path), dem='none.tif')


def test_what_was_decided_about_the_input_is_stated(tmp_path):
    mask = scene_files.write_raster(tmp_path / 'clouds.tif', np.zeros((8, 8), np.uint8))
    facts = scene_of(
        stack(tmp_path), ('B4', 'B10', 'DEM'), fill={'B10': 0.25}, dn_offset=-100, cloud_mask=mask
    ).facts
    gain = 1 / BANDS['B4'].divisor
    assert facts['units']['B4'] == pytest.approx({'gain': gain, 'offset': -100 * gain})
    assert (facts['fill'], facts['nodata']) == ({'B10': 0.25}, {'B4': 0.0, 'DEM': None})
    assert facts['mask'] == {'path': str(mask), 'kind': 'nonzero'}


def test_a_cloud_mask_without_map_or_with_too_few_bands_is_refused(tmp_path):
    plain = scene_files.write_raster(tmp_path / 'clouds.tif', np.ones((8, 8), np.uint8), crs=None)
    with pytest.raises(
        SceneError,
        match=r'cloud mask must have a coordinate reference system, got none in .*clouds\.tif',
    ):
        scene_of(stack(tmp_path), cloud_mask=plain)
    with pytest.raises(SceneError, match='cloud mask of kind msk_classi must have 2 bands, got 1'):
        scene_of(stack(tmp_path), cloud_mask=plain, cloud_kind='msk_classi')


def test_a_band_that_the_scene_lacks_is_refused_with_the_choices_named(tmp_path):
    message = (
        r"without \['B10', 'slope'\] in .*stack\.tif\. Add elevation .*level-1C product \(level "
        r'2A has no B10\)'
    )
    with pytest.raises(
        BandError, match=message + r'.*--fill B10=mean --fill slope=mean.*use a model without them'
    ):
        scene_of(stack(tmp_path, LIGHT), ('B4', 'B10', 'slope'))


def test_a_band_may_be_filled(tmp_path):
    values, valid = scene_of(stack(tmp_path), ('B10', 'B4'), fill={'B10': 0.25}).read((0, 0, 8, 8))
    assert (values[0] == 0.25).all()
    assert valid.all()


def test_a_band_that_is_there_is_not_filled(tmp_path):
    values, _ = scene_of(stack(tmp_path), ('B4', 'slope'), fill={'B4': 0.25, 'slope': 0.25}).read(
        (0, 0, 8, 8)
    )
    assert np.allclose(values[0], 900 / BANDS['B4'].divisor)
    assert not values[1].any()


def test_a_fill_is_a_number_or_the_mean_of_its_band():
    assert fill_values({'B10': 'mean', 'b11': '0.5', 'B1': 2}, ('B10', 'B11'), ()) == {
        'B10': BANDS['B10'].mean,
        'B11': 0.5,
    }
    for value in ('most', float('nan')):
        with pytest.raises(
            ConfigError, match=rf"fill of B10 must be a number or 'mean', got {value!r}"
        ):
            fill_values({'B10': value}, ('B10',), ())
    with pytest.raises(BandError, match=r"be known, got \['B13'\] in --fill"):
        fill_values({'B13': 0.0}, ('B10',), ())


def test_a_scene_without_map_or_north_is_refused(tmp_path):
    with pytest.raises(SceneError, match=r'coordinate reference system, got none in .*stack\.tif'):
        scene_of(stack(tmp_path, crs=None))
    turned = Affine.rotation(10)
    with pytest.raises(SceneError, match=r'rows that run east .* in .*stack\.tif\. Warp it'):
        scene_of(stack(tmp_path, pixel=turned))


def test_the_files_behind_a_virtual_raster_are_inputs(tmp_path):
    path = stack(tmp_path, ('B4',))
    (tmp_path / 'a.vrt').write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><SRS>EPSG:32633</SRS>'
        '<GeoTransform>399960,10,0,5000040,0,-10</GeoTransform>'
        '<VRTRasterBand dataType="UInt16" band="1"><Description>B4</Description>'
        '<SimpleSource><SourceFilename relativeToVRT="1">'
        'stack.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>'
        '</VRTDataset>'
    )
    assert [file.path for file in scene_of(tmp_path / 'a.vrt', ('B4',)).inputs] == [
        str(tmp_path / 'a.vrt'),
        str(path),
    ]
