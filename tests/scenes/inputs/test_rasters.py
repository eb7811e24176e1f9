import multiprocessing
import pickle

import factories
import numpy as np
import pytest
import rasterio
import scene_files
from rasterio import warp
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from mmlandslide.errors import MissingPathError, SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.rasters import RasterFile, driver_of

GRID = GeoBox(
    6, 6, from_origin(*scene_files.ORIGIN_XY, 10.0, 10.0), rasterio.crs.CRS.from_epsg(32633)
)
COUNT = np.arange(36, dtype=np.uint16).reshape(6, 6)
BAND = '<VRTRasterBand dataType="UInt16" band="1"{kind}>{inside}</VRTRasterBand>'
VRT = f'<VRTDataset rasterXSize="6" rasterYSize="6">{BAND}</VRTDataset>'
SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
    '<SourceBand>1</SourceBand></SimpleSource>'
)


def write_vrt(path, name, relative=1, kind=''):
    path.write_text(VRT.format(kind=kind, inside=SOURCE.format(relative=relative, name=name)))
    return path


def test_a_window_beyond_the_file_has_no_data_there(tmp_path):
    values = RasterFile(scene_files.write_raster(tmp_path / 'a.tif', COUNT)).read(
        (1,), (-1, 4, 3, 3)
    )
    assert np.array_equal(
        values[0], [[np.nan] * 3, [4, 5, np.nan], [10, 11, np.nan]], equal_nan=True
    )


def test_what_the_file_or_the_user_calls_no_data_is_none(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', COUNT, nodata=7)
    assert np.argwhere(np.isnan(RasterFile(path).read((1,), (0, 0, 6, 6)))).tolist() == [[0, 1, 1]]
    assert np.isnan(RasterFile(path, nodata=9).read((1,), (0, 0, 6, 6))).sum() == 2


def test_zero_can_be_data_whatever_the_file_says(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', COUNT, nodata=0)
    assert np.isnan(RasterFile(path).read((1,), (0, 0, 1, 1)))
    assert RasterFile(path, zero_is_data=True).read((1,), (0, 0, 1, 1)) == 0


def test_infinite_values_are_no_data(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', np.array([[np.inf, 1.0]], np.float32))
    assert np.array_equal(
        RasterFile(path).read((1,), (0, 0, 1, 2)), [[[np.nan, 1]]], equal_nan=True
    )


def test_a_stated_scale_and_offset_are_applied(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', COUNT)
    with rasterio.open(path, 'r+') as dataset:
        dataset.scales, dataset.offsets = (1e-4,), (-0.1,)
    assert RasterFile(path).read((1,), (5, 5, 1, 1)) == pytest.approx(35 * 1e-4 - 0.1)


def test_bilinear_warping_puts_a_value_at_the_middle_of_its_pixel(tmp_path):
    # A ramp of 20 m pixels, 0 1 2 with middles at 10, 30 and 50 m; 10 m pixels have theirs at 5,
    # 15, 25, ...: linear in between.
    ramp = np.tile(np.arange(3, dtype=np.float32), (3, 1))
    path = scene_files.write_raster(tmp_path / 'a.tif', ramp, pixel=20.0)
    assert np.allclose(
        RasterFile(path, GRID).read((1,), (2, 0, 1, 6)), [0, 0.25, 0.75, 1.25, 1.75, 2]
    )


def test_no_data_does_not_bleed_into_what_is_warped(tmp_path):
    array = np.array([[0, 100, 100], [0, 100, 100], [0, 100, 100]], np.uint16)
    path = scene_files.write_raster(tmp_path / 'a.tif', array, pixel=20.0)
    values = RasterFile(path, GRID, nodata=0).read((1,), (2, 0, 1, 6))[0, 0]
    assert np.isnan(values[0])
    assert set(values[~np.isnan(values)]) == {100.0}


def test_a_file_of_another_projection_lands_where_it_belongs(tmp_path):
    # One bright degree-grid pixel of about 30 m around a known place.
    x, y = GRID.transform @ (3, 3)
    (lon,), (lat,) = warp.transform(GRID.crs, 'EPSG:4326', [x], [y])
    spot = np.zeros((5, 5), np.float32)
    spot[2, 2] = 1
    origin_xy = (lon - 2.5 * 4e-4, lat + 2.5 * 3e-4)
    path = scene_files.write_raster(
        tmp_path / 'a.tif',
        spot,
        rasterio.Affine(4e-4, 0, origin_xy[0], 0, -3e-4, origin_xy[1]),
        crs='EPSG:4326',
    )
    values = RasterFile(path, GRID, Resampling.nearest).read((1,), (0, 0, 6, 6))[0]
    rows, cols = np.nonzero(values)
    assert (rows.mean() + 0.5, cols.mean() + 0.5) == (3.0, 3.0)


def test_windows_of_a_warped_file_fit_together(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'a.tif', scene_files.digital_numbers('B5', 20, 20), pixel=20.0
    )
    file = RasterFile(path, GeoBox(40, 40, GRID.transform, GRID.crs), Resampling.cubic)
    whole = file.read((1,), (0, 0, 40, 40))
    assert np.array_equal(whole[:, 13:31, 7:29], file.read((1,), (13, 7, 18, 22)))


def test_a_file_goes_to_another_process_and_is_opened_there(tmp_path):
    file = RasterFile(scene_files.write_raster(tmp_path / 'a.tif', COUNT))
    before = file.read((1,), (0, 0, 6, 6))
    assert np.array_equal(pickle.loads(pickle.dumps(file)).read((1,), (0, 0, 6, 6)), before)
    with multiprocessing.get_context('fork').Pool(1) as pool:
        assert np.array_equal(pool.apply(file.read, ((1,), (0, 0, 6, 6))), before)


def test_a_file_is_known_by_what_it_holds_and_not_by_its_name(tmp_path):
    assert driver_of(scene_files.write_raster(tmp_path / 'a.jp2', COUNT)) == 'GTiff'
    lossless = {'driver': 'JP2OpenJPEG', 'QUALITY': '100', 'REVERSIBLE': 'YES'}
    assert (
        driver_of(scene_files.write_raster(tmp_path / 'b.jp2', COUNT, **lossless)) == 'JP2OpenJPEG'
    )


def test_another_format_is_refused(tmp_path):
    factories.write_array(tmp_path / 'a.png', COUNT.astype(np.uint8))
    with pytest.raises(
        SceneError,
        match=r'JPEG 2000 or VRT, got PNG in .*a\.png\. Convert it with',
    ):
        driver_of(tmp_path / 'a.png')


def test_a_packed_product_is_to_be_unpacked(tmp_path):
    (tmp_path / 'S2A.zip').write_bytes(b'PK\x03\x04')
    with pytest.raises(SceneError, match=r'in .*S2A\.zip\. Pass the \.zip itself, or unpack it\.'):
        driver_of(tmp_path / 'S2A.zip')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r'got no file in .*a\.tif\. Check the path'):
        driver_of(tmp_path / 'a.tif')


def test_a_truncated_file_is_named(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', scene_files.digital_numbers('B2', 200, 200))
    factories.truncate(path)
    with pytest.raises(
        SceneError, match=r'raster file must be readable, got .* in .*a\.tif\. Download it again'
    ):
        RasterFile(path).read((1,), (0, 0, 200, 200))


def test_a_virtual_raster_of_local_files_is_read(tmp_path):
    scene_files.write_raster(tmp_path / 'a.tif', COUNT)
    path = write_vrt(tmp_path / 'a.vrt', 'a.tif')
    assert RasterFile(path).read((1,), (5, 5, 1, 1)) == 35
    assert [file.name for file in RasterFile(path).files] == ['a.vrt', 'a.tif']


@pytest.mark.parametrize(
    'name', ['/vsicurl/http://example.org/a.tif', 'WMS:http://example.org', '/vsizip/a.zip/b.tif']
)
def test_a_virtual_raster_of_what_is_no_local_file_is_refused(tmp_path, name):
    with pytest.raises(SceneError, match=f"JPEG 2000 files, got source '{name}' in .*a.vrt"):
        driver_of(write_vrt(tmp_path / 'a.vrt', name, relative=0))


def test_a_virtual_raster_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(MissingPathError, match=r'got no file in .*missing\.tif'):
        driver_of(write_vrt(tmp_path / 'a.vrt', 'missing.tif'))


def test_a_virtual_raster_that_computes_is_refused(tmp_path):
    scene_files.write_raster(tmp_path / 'a.tif', COUNT)
    with pytest.raises(
        SceneError, match=r"got subClass of <VRTRasterBand> 'VRTDerivedRasterBand' in .*a\.vrt"
    ):
        driver_of(write_vrt(tmp_path / 'a.vrt', 'a.tif', kind=' subClass="VRTDerivedRasterBand"'))


def test_a_virtual_raster_that_holds_itself_is_refused(tmp_path):
    with pytest.raises(SceneError, match=r'got too many bytes or levels in .*a\.vrt'):
        driver_of(write_vrt(tmp_path / 'a.vrt', 'a.vrt'))


def test_the_frame_of_a_file_is_what_it_states(tmp_path):
    assert RasterFile(scene_files.write_raster(tmp_path / 'a.tif', COUNT)).own_frame.same_grid(GRID)
