import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scene_files

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene

WINDOWS = [(row, col, 9, 7) for row in range(-5, 24, 5) for col in range(-5, 24, 5)]


@pytest.fixture
def scene(tmp_path):
    """Open a product of 10, 20 and 60 m bands with elevation on a grid of its own."""
    folder = scene_files.write_safe(tmp_path, '04.00', [-1000] * 13)
    hills = np.random.default_rng(0).integers(100, 200, (20, 20)).astype(np.float32)
    dem = scene_files.write_raster(
        tmp_path / 'dem.tif', hills, pixel=25.0, origin_xy=(399910.0, 5000090.0)
    )
    return open_scene(folder, options=InputOptions(dem=dem, check_values=False))


def test_windows_of_a_scene_of_many_files_fit_together(scene):
    whole, valid = scene.read((-5, -5, 40, 40))
    for row, col, height, width in WINDOWS:
        part = np.s_[..., row + 5 : row + 5 + height, col + 5 : col + 5 + width]
        values, seen = scene.read((row, col, height, width))
        assert np.array_equal(values, whole[part])
        assert np.array_equal(seen, valid[part])


def test_every_pixel_of_a_product_with_elevation_is_valid(scene):
    assert scene.read((0, 0, 24, 24))[1].all()
    assert scene.bands == GROUPS['all']
    assert (scene.height, scene.width) == (24, 24)


def test_ten_metre_bands_are_as_the_product_holds_them_less_the_offset(scene):
    stored = scene_files.digital_numbers('B3', 24, 24).astype(np.float32)
    expected = np.maximum(stored - 1000, 0) / BANDS['B3'].divisor
    assert np.allclose(scene.read((0, 0, 24, 24))[0][scene.bands.index('B3')], expected)


def test_several_threads_read_what_one_reads(scene):
    alone = [scene.read(window)[0] for window in WINDOWS]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(scene.read, WINDOWS)
    assert all(np.array_equal(one, other) for one, (other, _) in zip(alone, together, strict=True))


def test_a_scene_goes_to_another_process(scene):
    other = pickle.loads(pickle.dumps(scene))
    assert np.array_equal(other.read((0, 0, 24, 24))[0], scene.read((0, 0, 24, 24))[0])
    assert other.inputs == scene.inputs


def test_a_scene_whose_bands_are_all_filled_is_read(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'a.tif', scene_files.digital_numbers('B2'), names=('B2',)
    )
    values, valid = open_scene(path, ('B3', 'B4'), InputOptions(fill={'B3': 0.5, 'B4': 2.0})).read(
        (-1, 0, 5, 5)
    )
    assert (values[0, 1:].tolist(), values[1, 1:].tolist()) == ([[0.5] * 5] * 4, [[2.0] * 5] * 4)
    assert valid.tolist() == [[False] * 5] + [[True] * 5] * 4
