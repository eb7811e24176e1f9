"""Finding tiles in both layouts and pairing them by number."""

import factories
import pytest

from mmlandslide.datasets.storage.index import find_tiles, layout, pair
from mmlandslide.errors import ConfigError, DatasetError, MissingPathError


@pytest.mark.parametrize('name', ['A', 'B'])
def test_both_published_layouts_are_found(tmp_path, name):
    factories.write_dataset(tmp_path, {'train': 2, 'validation': 1, 'test': 1}, layout=name)
    assert layout(tmp_path) == name
    assert [
        ref.tile_id for split in ('train', 'val', 'test') for ref in find_tiles(tmp_path, split)
    ] == [
        'train/1',
        'train/2',
        'validation/1',
        'test/1',
    ]


def test_image_and_mask_are_paired_by_number_never_by_sort_order(tmp_path):
    for number in (2, 10, 9):
        factories.write_tile(tmp_path, number, factories.image(), factories.mask())
    refs = find_tiles(tmp_path, 'train')
    assert [ref.tile_id for ref in refs] == ['train/2', 'train/9', 'train/10']
    assert [ref.mask_path.name for ref in refs] == ['mask_2.h5', 'mask_9.h5', 'mask_10.h5']


def test_a_split_without_masks_is_unlabelled(tmp_path):
    factories.write_dataset(tmp_path, {'test': 2}, labelled=False)
    assert [ref.mask_path for ref in find_tiles(tmp_path, 'test')] == [None, None]
    assert not pair(tmp_path, 'test').unmasked


def test_other_files_beside_the_tiles_are_passed_over(tmp_path):
    factories.write_dataset(tmp_path, {'train': 1})
    for name in ('.image_2.h5', 'image_x.h5', 'image_3.h5.part', 'notes.txt'):
        (tmp_path / 'images/train' / name).write_text('')
    assert [ref.tile_id for ref in find_tiles(tmp_path, 'train')] == ['train/1']


@pytest.mark.parametrize('faulty', ['image', 'mask'])
def test_a_file_that_stands_alone_is_refused_unless_it_is_left_out(tmp_path, faulty):
    factories.write_dataset(tmp_path, {'train': 3})
    {'image': factories.image_path, 'mask': factories.mask_path}[faulty](tmp_path, 2).unlink()
    with pytest.raises(DatasetError, match=f'must have its {faulty}, got none in .*_2.h5'):
        find_tiles(tmp_path, 'train')
    assert [ref.tile_id for ref in find_tiles(tmp_path, 'train', leave_out={'train/2'})] == [
        'train/1',
        'train/3',
    ]


def test_a_missing_data_root_says_how_to_get_one(tmp_path):
    with pytest.raises(
        MissingPathError,
        match=r'hold TrainData/img or images/train .* no folder in .*nowhere.*mmlandslide synth',
    ):
        find_tiles(tmp_path / 'nowhere', 'train')


def test_a_folder_of_something_else_lists_what_it_holds(tmp_path):
    (tmp_path / 'holiday').mkdir()
    with pytest.raises(MissingPathError, match=r"got folders \['holiday'\]"):
        layout(tmp_path)


def test_an_empty_split_and_an_unknown_one_are_refused(tmp_path):
    factories.write_dataset(tmp_path, {'train': 1})
    with pytest.raises(
        DatasetError,
        match=r"split 'test' must hold at least one image_N.h5, got none in .*images/test",
    ):
        find_tiles(tmp_path, 'test')
    with pytest.raises(ConfigError, match=r"one of \['train', 'validation', 'test'\], got 'dev'"):
        find_tiles(tmp_path, 'dev')


@pytest.mark.parametrize('named', ['.', 'a', 'a/root/TrainData', 'a/root/TrainData/img'])
def test_a_root_that_is_too_high_or_too_deep_is_answered_with_the_one_that_fits(tmp_path, named):
    root = factories.write_dataset(tmp_path / 'a/root', {'train': 1}, layout='A')
    with pytest.raises(MissingPathError, match=f'Name {root}, which does'):
        layout(tmp_path / named)
