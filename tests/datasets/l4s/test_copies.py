"""Finding a user's training tiles, and refusing what cannot be theirs."""

import factories
import numpy as np
import pytest

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.l4s.copies import open_copy
from mmlandslide.errors import DatasetError, MissingPathError, TileError


def test_hdf5_tiles_are_read_in_their_units_with_their_masks(tmp_path):
    image, mask = factories.image(), factories.mask((2, 5, 6, 8))
    factories.write_tile(tmp_path, 12, image, mask)
    factories.write_tile(tmp_path, 3, image)
    copy = open_copy(tmp_path)
    assert (copy.form, list(copy.images), copy.tile_px) == ('hdf5', [3, 12], 16)
    np.testing.assert_array_equal(copy.image(12), image.astype(np.float32))
    np.testing.assert_array_equal(copy.mask(12), mask)
    assert copy.boxes(12, RULES['components']).tolist() == [[2, 5, 6, 8]]
    assert copy.mask(3) is None
    assert copy.boxes(3, RULES['components']) is None
    assert [copy.bands[index] for index in copy.color_indices] == ['B4', 'B3', 'B2']


def test_rgb_tiles_of_several_folders_are_one_copy(tmp_path):
    factories.write_voc(tmp_path, {'train': 1})
    factories.write_voc(tmp_path, {'valid': 1}, first=40)
    copy = open_copy(tmp_path)
    assert (copy.form, list(copy.images), copy.image(40).dtype) == ('rgb', [1, 40], np.uint8)
    assert copy.boxes(40, RULES['components']).tolist() == [[10, 20, 40, 40]]
    assert copy.mask(40) is None


def test_a_number_on_two_files_is_refused(tmp_path):
    factories.write_voc(tmp_path, {'train': 1, 'valid': 1})
    with pytest.raises(DatasetError, match=r'stand on one file, got 1 also in .*train/1.jpg in'):
        open_copy(tmp_path)


@pytest.mark.parametrize('name', ['3800', '0', 'scene_1', '1_2'])
def test_a_file_whose_name_is_no_tile_number_is_refused(tmp_path, name):
    factories.write_voc(tmp_path, {'train': 1})
    for suffix in ('.jpg', '.xml'):
        (tmp_path / f'train/1{suffix}').rename(tmp_path / f'train/{name}{suffix}')
    with pytest.raises(DatasetError, match=rf"training tile, 1 to 3799, got '{name}.jpg'"):
        open_copy(tmp_path)


def test_a_hdf5_tile_beyond_the_last_is_refused(tmp_path):
    factories.write_tile(tmp_path, 3800, factories.image())
    with pytest.raises(DatasetError, match=r"1 to 3799, got 'image_3800.h5'"):
        open_copy(tmp_path)


def test_tiles_of_two_sizes_are_other_data(tmp_path):
    factories.write_voc(tmp_path, {'train': 1}, size_px=64)
    factories.write_voc(tmp_path, {'valid': 1}, size_px=32, first=2)
    copy = open_copy(tmp_path)
    with pytest.raises(TileError, match='be 64 x 64 px as the first of this copy, got 32 x 32 px'):
        copy.image(2)


def test_a_tile_with_other_bands_under_such_a_name_is_refused(tmp_path):
    factories.write_tile(tmp_path, 1, factories.image(bands=4))
    with pytest.raises(TileError, match='must have 14 bands'):
        open_copy(tmp_path).image(1)


def test_a_folder_without_tiles_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match=r'hold Landslide4Sense training tiles .*, got none'):
        open_copy(tmp_path)
    with pytest.raises(MissingPathError, match='data root must be a folder, got none'):
        open_copy(tmp_path / 'nowhere')
