"""The list of faulty tiles to go on without."""

import factories
import pytest

from mmlandslide.datasets.storage.faults import Finding
from mmlandslide.datasets.storage.index import pair
from mmlandslide.datasets.storage.quarantine import (
    FILE_NAME,
    WARNINGS_NAME,
    left_out,
    text_of,
    warnings_of,
    warnings_text,
)
from mmlandslide.errors import DatasetError

FINDINGS = [
    Finding('mask-size', 'train/2', 'mask_2.h5', 'mask must ...'),
    Finding('nan', 'train/2', 'image_2.h5', 'image must ...'),
]


@pytest.fixture
def root(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    (tmp_path / FILE_NAME).write_text(text_of(FINDINGS, [pair(tmp_path, 'train')]))
    return tmp_path


def test_without_a_list_nothing_is_left_out(root, tmp_path_factory):
    assert left_out([tmp_path_factory.mktemp('empty')], pair(root, 'train')) == {}


def test_a_listed_tile_is_left_out_with_its_faults(root):
    assert left_out([root / 'nowhere', root], pair(root, 'train')) == {'train/2': FINDINGS}


@pytest.mark.parametrize('path_of', [factories.image_path, factories.mask_path])
def test_a_tile_whose_files_changed_is_no_longer_left_out(root, path_of):
    path_of(root, 2).write_bytes(b'another content')
    assert left_out([root], pair(root, 'train')) == {}


def test_a_tile_that_got_its_missing_mask_is_no_longer_left_out(root):
    factories.mask_path(root, 2).unlink()
    (root / FILE_NAME).write_text(text_of(FINDINGS, [pair(root, 'train')]))
    assert list(left_out([root], pair(root, 'train'))) == ['train/2']
    factories.write_array(factories.mask_path(root, 2), factories.mask(), 'mask')
    assert left_out([root], pair(root, 'train')) == {}


@pytest.mark.parametrize('text', ['', '[]\n[', '{"train/2": {}}', '{"train/2": 3}'])
def test_a_list_that_is_not_ours_is_refused(root, text):
    (root / FILE_NAME).write_text(text)
    with pytest.raises(DatasetError, match=r'quarantine list must be as .* in .*quarantine\.json'):
        left_out([root], pair(root, 'train'))


def test_what_a_strange_list_says_is_printable(root):
    text = (root / FILE_NAME).read_text().replace('mask must ...', 'mask \\u001b[31m')
    (root / FILE_NAME).write_text(text)
    assert left_out([root], pair(root, 'train'))['train/2'][0].message == 'mask \\x1b[31m'


def test_warnings_hold_for_the_store_that_they_were_written_for(tmp_path):
    warning = Finding('all-zero-band', 'train/1', 'image_1.h5', 'bands must ...')
    (tmp_path / WARNINGS_NAME).write_text(
        warnings_text({'train': ('abc', [warning]), 'test': ('def', [])})
    )
    assert warnings_of(tmp_path, 'train', 'abc') == [warning]
    assert warnings_of(tmp_path, 'test', 'def') == []
    assert warnings_of(tmp_path, 'train', 'another') is None


@pytest.mark.parametrize(
    'text',
    [
        None,
        '',
        '[]',
        '{"train": 1}',
        '{"train": {"version": 1, "fingerprint": "abc", "warnings": [{}]}}',
    ],
)
def test_warnings_that_are_gone_or_not_ours_mean_a_new_check(tmp_path, text):
    if text is not None:
        (tmp_path / WARNINGS_NAME).write_text(text)
    assert warnings_of(tmp_path, 'train', 'abc') is None
