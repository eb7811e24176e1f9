import hashlib

import h5py
import numpy as np
import pytest
from scipy import ndimage

from mmlandslide import rng
from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.datasets.simulation.synthetic import (
    EMPTY_SHARE,
    simulate,
    simulate_tile,
    write_dataset,
)
from mmlandslide.errors import DatasetError

DIVISORS = np.array([BANDS[name].divisor for name in LANDSLIDE4SENSE])


@pytest.fixture(scope='module')
def tiles():
    return [simulate_tile(3, f'train/{number}') for number in range(1, 41)]


def digests(out):
    return {
        path.relative_to(out): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob('*'))
        if path.is_file()
    }


def test_a_tile_is_a_pure_function_of_seed_and_id(tiles):
    image, mask = simulate_tile(3, 'train/7')
    np.testing.assert_array_equal(image, tiles[6][0])
    np.testing.assert_array_equal(mask, tiles[6][1])


@pytest.mark.parametrize(('seed', 'tile_id'), [(4, 'train/1'), (3, 'train/2'), (3, 'test/1')])
def test_another_seed_or_id_gives_another_tile(tiles, seed, tile_id):
    differs = simulate_tile(seed, tile_id)[0] != tiles[0][0]
    # Whole numbers agree by chance, in no band in most of its pixels.
    assert differs.mean((0, 1)).min() > 0.4


def test_a_tile_has_the_shape_and_types_of_the_real_files(tiles):
    image, mask = tiles[0]
    assert (image.shape, image.dtype) == ((128, 128, 14), np.float64)
    assert (mask.shape, mask.dtype) == ((128, 128), np.uint8)
    assert set(np.unique([mask for _, mask in tiles])) == {0, 1}


def test_stored_values_are_whole_raw_values_over_the_divisor_bit_for_bit(tiles):
    image = np.stack([image for image, _ in tiles])
    raw = np.rint(image * DIVISORS)
    np.testing.assert_array_equal(raw / DIVISORS, image)
    assert raw.min() >= 0
    assert raw.max() <= 65535


def test_the_statistics_are_near_the_real_ones(tiles):
    image = np.stack([image for image, _ in tiles])
    mean, std = (
        np.array([getattr(BANDS[name], which) for name in LANDSLIDE4SENSE])
        for which in ('mean', 'std')
    )
    np.testing.assert_allclose(image.mean((0, 1, 2)), mean, rtol=0.25)
    ratio = image.std((0, 1, 2)) / std
    assert 0.5 < ratio.min() < ratio.max() < 2


def test_the_slope_band_is_the_slope_of_the_dem_band(tiles):
    raw = np.rint(tiles[0][0] * DIVISORS)
    dem_m, slope_deg = raw[..., 13], raw[..., 12]
    down, right = (
        (dem_m[2:, 1:-1] - dem_m[:-2, 1:-1]) / 20,
        (dem_m[1:-1, 2:] - dem_m[1:-1, :-2]) / 20,
    )  # metres a metre
    expected = np.degrees(np.arctan(np.hypot(down, right)))
    np.testing.assert_allclose(slope_deg[1:-1, 1:-1], expected, atol=0.501)


def test_most_scars_start_on_steep_ground(tiles):
    upper_deg = []
    for image, mask in tiles:
        labels, count = ndimage.label(mask)
        for label in range(1, count + 1):
            dem, slope = image[labels == label][:, 13], image[labels == label][:, 12] * DIVISORS[12]
            upper_deg.append(slope[dem >= np.quantile(dem, 0.75)].mean())
    assert len(upper_deg) > 40
    assert np.mean(np.array(upper_deg) > 20) > 0.9


def test_scars_run_downhill(tiles):
    # Along the fall line of 20 degrees a scar drops .36 of its length; its box's diagonal is at
    # least that length.
    drops = []
    for image, mask in tiles:
        for window in ndimage.find_objects(ndimage.label(mask)[0]):
            dem_m = image[window][..., 13][mask[window] > 0] * DIVISORS[13]
            drops.append(np.ptp(dem_m) / (10 * np.hypot(*mask[window].shape)))
    assert np.median(drops) > 0.36


def test_bare_ground_that_is_no_landslide_is_about_as_common_as_scars(tiles):
    image, mask = (np.stack(stack) for stack in zip(*tiles, strict=True))
    raw = image * DIVISORS
    ndvi = (raw[..., 7] - raw[..., 3]) / (raw[..., 7] + raw[..., 3])
    looks_bare = ndvi < np.median(ndvi[mask == 1])
    assert (looks_bare & (mask == 0)).sum() > (looks_bare & (mask == 1)).sum()


def test_about_41_percent_of_the_tiles_are_empty():
    empty = sum(not simulate(rng.generator(number), (32, 32))[1].any() for number in range(200))
    # Binomial: 82 of 200, standard deviation 7; three of them either way.
    assert abs(empty - 200 * EMPTY_SHARE) < 21


def test_a_scene_may_have_any_height_and_width():
    raw, mask = simulate(rng.generator(0), (96, 210))
    assert (raw.shape, raw.dtype) == ((14, 96, 210), np.uint16)
    assert mask.shape == (96, 210)


def test_a_dataset_has_the_official_layout(tmp_path):
    write_dataset(tmp_path / 'new', {'train': 2, 'validation': 1, 'test': 1}, seed=3)
    found = {
        str(path.relative_to(tmp_path / 'new'))
        for path in (tmp_path / 'new').rglob('*')
        if path.is_file()
    }
    numbered = [('TrainData', 1), ('TrainData', 2), ('ValidData', 1), ('TestData', 1)]
    images = {f'{folder}/img/image_{number}.h5' for folder, number in numbered}
    masks = {f'{folder}/mask/mask_{number}.h5' for folder, number in numbered}
    assert found == images | masks | {'README.txt'}


def read(path):
    with h5py.File(path) as file:
        return {key: file[key][:] for key in file}


def test_a_file_holds_the_simulated_tile(tmp_path, tiles):
    write_dataset(tmp_path, {'train': 2}, seed=3)
    image_file, mask_file = (
        read(tmp_path / 'TrainData/img/image_2.h5'),
        read(tmp_path / 'TrainData/mask/mask_2.h5'),
    )
    assert (list(image_file), image_file['img'].dtype) == (['img'], np.float64)
    assert (list(mask_file), mask_file['mask'].dtype) == (['mask'], np.uint8)
    np.testing.assert_array_equal(image_file['img'], tiles[1][0])
    np.testing.assert_array_equal(mask_file['mask'], tiles[1][1])


def test_the_readme_says_that_the_tiles_are_simulated_and_how(tmp_path):
    write_dataset(tmp_path, {'test': 1}, seed=17)
    text = (tmp_path / 'README.txt').read_text()
    assert 'Simulated' in text
    assert 'seed 17' in text


def test_files_are_the_same_bytes_whatever_the_number_of_workers(tmp_path):
    for num_workers in (1, 2):
        write_dataset(
            tmp_path / str(num_workers), {'train': 9, 'test': 2}, seed=1, num_workers=num_workers
        )
    assert digests(tmp_path / '1') == digests(tmp_path / '2')


def test_progress_counts_the_tiles_written(tmp_path):
    seen = []
    write_dataset(tmp_path, {'train': 2, 'validation': 1}, seed=0, progress=seen.append)
    assert seen == [1, 2, 3]


def test_a_folder_that_holds_tiles_is_refused(tmp_path):
    (tmp_path / 'ValidData').mkdir()
    with pytest.raises(
        DatasetError, match=r"must hold no tiles yet, got \['ValidData'\] in .*Name another folder"
    ):
        write_dataset(tmp_path, {'train': 1}, seed=0)
    assert not (tmp_path / 'TrainData').exists()


@pytest.mark.parametrize('counts', [{'valid': 1}, {'train': -1}])
def test_an_unknown_split_or_a_negative_count_is_refused(tmp_path, counts):
    with pytest.raises(DatasetError, match=r'train.*validation.*test') as refusal:
        write_dataset(tmp_path / 'new', counts, seed=0)
    assert str(counts) in str(refusal.value)
    assert not (tmp_path / 'new').exists()
