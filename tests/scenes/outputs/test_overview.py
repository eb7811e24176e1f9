import factories
import numpy as np
import planted_scene
import pytest
import scene_files

from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.outputs.overview import overview_of


def raster(folder, values, bands, order=None, **options):
    path = scene_files.write_raster(
        folder / 'scene.tif', values.astype(np.float32), names=order or bands, **options
    )
    return open_scene(path, bands, InputOptions(scale='landslide4sense', check_values=False))


def test_a_large_scene_is_shown_by_the_means_of_its_pixels(tmp_path):
    values = np.random.default_rng(0).random((3, 40, 60))
    scene = raster(tmp_path, values, ('B2', 'B3', 'B4'))
    found = scene.overview(('B4', 'B3', 'B2'), (4, 6))
    np.testing.assert_allclose(found, values[::-1].reshape(3, 4, 10, 6, 10).mean((2, 4)), atol=1e-6)


def test_red_green_and_blue_are_found_by_their_names(tmp_path):
    values = np.stack([np.full((64, 64), 1.0), *np.random.default_rng(0).random((3, 64, 64))])
    values[3, :32], values[3, 32:] = 1, 2  # 0 would mean no data
    shown = overview_of(raster(tmp_path, values, ('B8', 'B2', 'B3', 'B4')), longest_px=64)
    assert (shown.title, shown.picture.shape) == ('RGB B4 B3 B2', (640, 640, 3))
    assert (shown.picture[:320, :, 0].max(), shown.picture[320:, :, 0].min()) == (0, 255)


def test_the_first_band_is_shown_in_grey_where_colours_lack(tmp_path):
    values = np.random.default_rng(0).random((2, 40, 60))
    shown = overview_of(raster(tmp_path, values, ('B8', 'B4')))
    assert shown.title == 'B8'
    assert (shown.picture == shown.picture[..., :1]).all()
    assert np.corrcoef(shown.picture[::11, ::11, 0].ravel(), values[0].ravel())[0, 1] > 0.99


@pytest.mark.parametrize('in_memory', [True, False])
def test_pixels_without_data_are_black_and_leave_no_mark_on_the_others(tmp_path, in_memory):
    values = np.random.default_rng(0).random((3, 40, 60)) + 1
    if in_memory:
        scene = planted_scene.scene(40, 60, valid=np.arange(60) >= 30 + np.zeros((40, 1)))
        scene.values[:] = values
    else:
        values[:, :, :30] = -9
        scene = raster(tmp_path, values, planted_scene.BANDS, nodata=-9)
    shown = overview_of(scene, longest_px=30)
    # 40 x 60 becomes 20 x 30, then grows 22 times to reach 640.
    assert (
        shown.known[:, :330].any(),
        shown.known[:, 330:].all(),
        shown.picture[:, :330].any(),
    ) == (False, True, False)
    assert scene.overview(scene.pictured[:1], (20, 30))[0, :, 15:].min() > 1


def test_a_model_of_the_terrain_alone_is_shown_the_elevation(tmp_path):
    dem = factories.write_tiff(
        tmp_path / 'dem.tif',
        np.arange(100, dtype=np.float32).reshape(10, 10) * np.ones((1, 1, 1), np.float32),
    )
    scene = open_scene(
        dem, ('slope', 'DEM'), InputOptions(dem=dem, band_order=['DEM'], check_values=False)
    )
    assert (scene.pictured, overview_of(scene).title) == (('DEM',), 'DEM')


def test_bands_of_several_files_and_pixel_sizes_are_shown_as_one(tmp_path):
    scene = open_scene(scene_files.write_safe(tmp_path), ('B4', 'B3', 'B2', 'B5'))
    shown = scene.overview(('B4', 'B5'), (6, 6))
    ten, twenty = (
        scene_files.digital_numbers(band, side, side) for band, side in (('B4', 24), ('B5', 12))
    )
    np.testing.assert_allclose(
        shown[0], ten.reshape(6, 4, 6, 4).mean((1, 3)), atol=0.51
    )  # whole numbers stay whole
    # 20 m pixels are warped to 10 m by linear interpolation first.
    assert (
        np.corrcoef(shown[1].ravel(), twenty.reshape(6, 2, 6, 2).mean((1, 3)).ravel())[0, 1] > 0.9
    )
