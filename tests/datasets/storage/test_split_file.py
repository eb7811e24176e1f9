"""Split files: which tiles a list of ids chooses."""

import factories
import pytest

from mmlandslide.datasets.storage.index import find_tiles
from mmlandslide.datasets.storage.split_file import read_split, select
from mmlandslide.errors import ConfigError, DatasetError, MissingPathError


def test_a_split_file_chooses_tiles_in_its_order(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    (tmp_path / 'ids.txt').write_text('# two of three\ntrain/3\n\n  train/1  # the first\n')
    assert [ref.tile_id for ref in select(find_tiles(tmp_path, 'train'), tmp_path / 'ids.txt')] == [
        'train/3',
        'train/1',
    ]


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('train/9\ntrain/1', r"1 unknown: \['train/9'\]"),
        ('../../etc/passwd', r"unknown: \['../../etc/passwd'\]"),
        ('train/1\ntrain/1', 'got a tile twice'),
        ('# nothing', 'got no tile'),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path, text, said):
    factories.write_dataset(tmp_path, {'train': 1})
    (tmp_path / 'ids.txt').write_text(text)
    with pytest.raises(DatasetError, match=said):
        select(find_tiles(tmp_path, 'train'), tmp_path / 'ids.txt')


def test_a_missing_split_file_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r'split file must exist, got no file in .*ids\.txt'):
        select([], tmp_path / 'ids.txt')


def test_tiles_that_are_not_there_are_skipped_where_asked(tmp_path):
    (tmp_path / 'ids.txt').write_text('train/3\ntrain/2\ntrain/1\n')
    assert read_split(tmp_path / 'ids.txt', {'train/1', 'train/3'}, 'skip') == [
        'train/3',
        'train/1',
    ]


def test_a_list_of_which_no_tile_is_there_is_refused_even_so(tmp_path):
    (tmp_path / 'ids.txt').write_text('train/3\n')
    with pytest.raises(DatasetError, match=r"1 unknown: \['train/3'\]"):
        read_split(tmp_path / 'ids.txt', {'train/1'}, 'skip')


def test_another_way_with_missing_tiles_is_refused(tmp_path):
    (tmp_path / 'ids.txt').write_text('train/1\n')
    with pytest.raises(
        ConfigError, match=r"missing must be one of \['refuse', 'skip'\], got 'drop'"
    ):
        read_split(tmp_path / 'ids.txt', {'train/1'}, 'drop')
