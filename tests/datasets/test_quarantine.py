"""The list of faulty tiles to go on without."""

import factories
import pytest

from mmlandslide.datasets.index import pair
from mmlandslide.datasets.quarantine import FILE_NAME, Problem, left_out, text_of
from mmlandslide.errors import DatasetError

PROBLEM = Problem('train/2', 'mask', 'mask must ...')


@pytest.fixture
def root(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    (tmp_path / FILE_NAME).write_text(text_of([PROBLEM], [pair(tmp_path, 'train')]))
    return tmp_path


def test_without_a_list_nothing_is_left_out(root, tmp_path_factory):
    assert left_out([tmp_path_factory.mktemp('empty')], pair(root, 'train')) == {}


def test_a_listed_tile_is_left_out_with_its_problem(root):
    assert left_out([root / 'nowhere', root], pair(root, 'train')) == {'train/2': PROBLEM}


@pytest.mark.parametrize('path_of', [factories.image_path, factories.mask_path])
def test_a_tile_whose_files_changed_is_no_longer_left_out(root, path_of):
    path_of(root, 2).write_bytes(b'another content')
    assert left_out([root], pair(root, 'train')) == {}


def test_a_tile_that_got_its_missing_mask_is_no_longer_left_out(root):
    factories.mask_path(root, 2).unlink()
    (root / FILE_NAME).write_text(text_of([PROBLEM], [pair(root, 'train')]))
    assert list(left_out([root], pair(root, 'train'))) == ['train/2']
    factories.write_array(factories.mask_path(root, 2), factories.mask(), 'mask')
    assert left_out([root], pair(root, 'train')) == {}


@pytest.mark.parametrize('text', ['', '[]\n[', '{"train/2": {}}', '{"train/2": 3}'])
def test_a_list_that_is_not_ours_is_refused(root, text):
    (root / FILE_NAME).write_text(text)
    with pytest.raises(DatasetError, match=r'quarantine list must be as .* in .*quarantine\.json'):
        left_out([root], pair(root, 'train'))
