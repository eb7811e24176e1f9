import numpy as np
import pytest
import rasterio
import scene_files

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.masks import CloudMask, cloud_kind
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.terrain import TerrainLayer


def terrain(path, bands=('slope', 'DEM'), **options):
    file = RasterFile(path)
    return TerrainLayer(file, bands, 1, file.own_frame, **options)


def hills(rows=60, cols=50):
    down, right = np.mgrid[:rows, :cols]
    return (500 + 80 * np.sin(down / 7) * np.cos(right / 5)).astype(np.float32)


def test_a_tilted_plane_has_one_slope_and_its_elevation(tmp_path):
    # 10 m up for every 10 m east: 45 degrees.
    path = scene_files.write_raster(
        tmp_path / 'dem.tif', np.mgrid[:5, :6][1].astype(np.float32) * 10
    )
    slope, dem_m = terrain(path).read((1, 1, 2, 3))
    assert np.allclose(slope, 45, atol=0.05)
    assert dem_m.tolist() == [[10, 20, 30]] * 2


def test_windows_have_no_seams(tmp_path):
    layer = terrain(scene_files.write_raster(tmp_path / 'dem.tif', hills()))
    whole = layer.read((0, 0, 60, 50))
    parts = [
        [layer.read((row, col, 20, 10)) for col in range(0, 50, 10)] for row in range(0, 60, 20)
    ]
    assert np.array_equal(whole, np.block([[*row] for row in parts]))


def test_slope_in_degrees_of_latitude_and_longitude_is_that_of_the_ground(tmp_path):
    # At 60 degrees north 1e-4 degrees are 5.58 m east and 11.14 m south; a rise of 5.58 m a pixel
    # is 45 degrees.
    transform = rasterio.transform.from_origin(10.0, 60.0, 1e-4, 1e-4)
    right = np.mgrid[:5, :6][1].astype(np.float32)
    path = scene_files.write_raster(
        tmp_path / 'dem.tif', right * np.float32(5.58), transform, crs='EPSG:4326'
    )
    assert np.allclose(terrain(path, ('slope',)).read((0, 0, 5, 6)), 45, atol=0.05)


def test_a_finer_map_of_coarse_elevation_keeps_its_slope(tmp_path):
    # 30 m pixels that rise 15 m each are 26.57 degrees, also where they are warped to 10 m.
    path = scene_files.write_raster(
        tmp_path / 'dem.tif', np.mgrid[:20, :20][0].astype(np.float32) * 15, pixel=30.0
    )
    frame = GeoBox(
        20,
        20,
        rasterio.transform.from_origin(400060.0, 4999940.0, 10.0, 10.0),
        rasterio.crs.CRS.from_epsg(32633),
    )
    file = RasterFile(path, frame.padded(1), rasterio.enums.Resampling.cubic)
    slope = TerrainLayer(file, ('slope',), 1, frame, margin_px=1).read((0, 0, 20, 20))
    assert np.allclose(slope, np.degrees(np.arctan(0.5)), atol=0.05)


def test_elevation_below_all_land_is_none(tmp_path):
    dem_m = np.zeros((3, 3), np.float32)
    dem_m[1, 1] = -32768
    assert np.isnan(
        terrain(scene_files.write_raster(tmp_path / 'dem.tif', dem_m), ('DEM',)).read((1, 1, 1, 1))
    )


@pytest.mark.parametrize(
    ('kind', 'values', 'cloudy'),
    [
        ('nonzero', [0, 1, 255], [False, True, True]),
        ('scl', [4, 3, 8, 9, 10, 11, 0], [False, True, True, True, True, False, True]),
        ('qa60', [0, 1024, 2048, 3072, 1], [False, True, True, True, False]),
    ],
)
def test_clouds_are_what_each_kind_of_mask_calls_so(tmp_path, kind, values, cloudy):
    path = scene_files.write_raster(tmp_path / 'mask.tif', np.array([values], np.uint16))
    assert CloudMask(RasterFile(path), kind).read((0, 0, 1, len(values))).tolist() == [cloudy]


def test_snow_is_no_cloud_in_the_masks_of_level_1c(tmp_path):
    opaque_cirrus_snow = np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]], np.uint8)
    path = scene_files.write_raster(tmp_path / 'mask.tif', opaque_cirrus_snow)
    assert CloudMask(RasterFile(path), 'msk_classi').read((0, 0, 1, 3)).tolist() == [
        [True, True, False]
    ]


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('T33TWM_SCL_20m', 'scl'),
        ('scene_QA60', 'qa60'),
        ('MSK_CLASSI_B00', 'msk_classi'),
        ('clouds', 'nonzero'),
    ],
)
def test_the_name_of_a_mask_says_what_its_values_mean(name, kind):
    assert cloud_kind(name, None) == kind
    assert cloud_kind(name, 'QA60') == 'qa60'


def test_an_unknown_kind_of_mask_is_refused():
    with pytest.raises(
        ConfigError, match=r"cloud kind must be one of \['nonzero', 'valid', .*, got 'haze'"
    ):
        cloud_kind('a', 'haze')
