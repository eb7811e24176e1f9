"""Three views of one data set."""

import pickle

import factories
import numpy as np
import pytest

from mmlandslide.datasets.views.landslide4sense import (
    Landslide4SenseClsDataset,
    Landslide4SenseDetDataset,
    Landslide4SenseUnlabelledDataset,
)
from mmlandslide.errors import BandError, ConfigError, DatasetError, MissingPathError
from mmlandslide.registry import DATASETS
from mmlandslide.rng import SampleIndex

VIEWS = [Landslide4SenseDetDataset, Landslide4SenseClsDataset, Landslide4SenseUnlabelledDataset]


@pytest.fixture
def root(tmp_path):
    return factories.write_dataset(tmp_path, {'train': 3, 'validation': 1})


@pytest.mark.parametrize('view', VIEWS)
def test_every_view_loads_bands_by_name_channel_first(root, view):
    sample = view(data_root=root, bands=('B4', 'DEM'))[1]
    assert sample['img'].dtype == np.float32
    np.testing.assert_array_equal(sample['img'], factories.image(2).astype(np.float32)[[3, 13]])
    assert (sample['img_id'], sample['img_shape']) == ('train/2', (16, 16))
    assert sample['img_path'].endswith('images/train/image_2.h5')


def test_the_detection_view_has_half_open_boxes_and_keeps_empty_tiles(root):
    view = Landslide4SenseDetDataset(data_root=root)
    assert [view[index]['gt_bboxes'].tolist() for index in range(3)] == [
        [[2, 5, 6, 8]],
        [],
        [[2, 5, 6, 8]],
    ]
    assert view[0]['gt_bboxes_labels'].tolist() == [0]
    assert view.metainfo['classes'] == ('landslide',)


def test_empty_tiles_may_be_left_out(root):
    view = Landslide4SenseDetDataset(data_root=root, keep_negatives=False)
    assert view.tile_ids == ['landslide4sense:train/1', 'landslide4sense:train/3']


def test_to_keep_only_tiles_with_a_box_there_must_be_one(root):
    with pytest.raises(DatasetError, match=r"tile with a box, got none of 3 in split 'train' of"):
        Landslide4SenseDetDataset(
            data_root=root, box_rule='study', keep_negatives=False
        )  # 12 px^2 are under 32.65


def test_boxes_follow_the_rule(root):
    view = Landslide4SenseDetDataset(data_root=root, box_rule='study')  # 12 px^2 are under 32.65
    assert [len(view[index]['gt_bboxes']) for index in range(3)] == [0, 0, 0]


def test_the_classification_view_asks_for_any_landslide_pixel(root):
    factories.write_tile(
        root, 4, factories.image(4), factories.mask((0, 0, 1, 1))
    )  # one pixel makes no box, but counts
    view = Landslide4SenseClsDataset(data_root=root)
    assert [view[index]['gt_label'] for index in range(4)] == [1, 0, 1, 1]


def test_a_split_file_chooses_the_tiles_of_a_view(root):
    (root / 'ids.txt').write_text('train/3\ntrain/2\n')
    view = Landslide4SenseDetDataset(data_root=root, split_file=root / 'ids.txt')
    assert view.tile_ids == ['landslide4sense:train/3', 'landslide4sense:train/2']
    np.testing.assert_array_equal(view[0]['img'], factories.image(3).astype(np.float32))


@pytest.mark.parametrize('view', VIEWS[:2])
def test_truth_without_masks_is_refused_with_the_remedy(tmp_path, view):
    factories.write_dataset(tmp_path, {'test': 1}, labelled=False)
    with pytest.raises(
        DatasetError,
        match=r"split 'test' must have masks, got none for tile test/1 in .*UnlabelledDataset",
    ):
        view(data_root=tmp_path, split='test')
    assert len(Landslide4SenseUnlabelledDataset(data_root=tmp_path, split='test')) == 1


def test_wrong_arguments_are_refused(root):
    with pytest.raises(BandError, match=r"bands must be among .* got \['B8A'\]"):
        Landslide4SenseUnlabelledDataset(data_root=root, bands='B8A')
    with pytest.raises(ConfigError, match="got 'mine'"):
        Landslide4SenseDetDataset(data_root=root, box_rule='mine')
    with pytest.raises(MissingPathError, match=r'Name .*, which does\.'):
        Landslide4SenseDetDataset(data_root=root / 'nowhere')


def test_a_config_names_a_view_and_an_alias_of_its_split(root):
    cfg = {
        'type': 'mmlandslide.Landslide4SenseDetDataset',
        'data_root': str(root),
        'split': 'val',
        'bands': 'rgb',
    }
    view = DATASETS.build(cfg)
    assert view.tile_ids == ['landslide4sense:validation/1']
    assert view[0]['img'].shape == (3, 16, 16)


def test_a_view_sent_to_a_worker_loads_the_same(root):
    view = Landslide4SenseDetDataset(data_root=root)
    twin = pickle.loads(pickle.dumps(view))
    np.testing.assert_array_equal(
        twin[SampleIndex(0, 1, 2)]['img'], view[SampleIndex(0, 1, 2)]['img']
    )


def test_one_tile_has_the_same_id_in_every_view(root):
    assert len({tuple(view(data_root=root).tile_ids) for view in VIEWS}) == 1


def test_a_tile_that_the_copy_lacks_is_an_error_unless_it_may_be_skipped(tmp_path):
    factories.write_dataset(tmp_path, {'train': 2})
    (tmp_path / 'ids.txt').write_text('train/2\ntrain/3\n')
    options = {'data_root': tmp_path, 'split_file': tmp_path / 'ids.txt'}
    with pytest.raises(DatasetError, match=r"1 unknown: \['train/3'\]"):
        Landslide4SenseDetDataset(**options)
    view = Landslide4SenseDetDataset(**options, missing='skip')
    assert view.tile_ids == ['landslide4sense:train/2']
