import pytest
import torch

from mmlandslide.datasets.transforms import formatting
from mmlandslide.errors import ConfigError
from tests.datasets.transforms.test_geometry import FIVE, sample


def test_packed_inputs_are_contiguous_float32():
    tile = sample([])
    tile['img'] = tile['img'][:, ::-1]
    inputs = formatting.PackDetection()(tile)['inputs']
    assert inputs.is_contiguous()
    assert inputs.dtype == torch.float32
    assert inputs.shape == (14, 64, 64)


def test_an_empty_tile_packs_no_boxes():
    assert formatting.PackDetection()(sample([]))['data_samples'].gt_instances.bboxes.shape == (
        0,
        4,
    )


@pytest.mark.parametrize('label', [0, 1])
def test_a_packed_tile_carries_its_label_and_its_key(label):
    data_sample = formatting.PackTile()({**sample(bands=FIVE), 'gt_label': label})['data_samples']
    assert data_sample.gt_label.tolist() == [label]
    assert data_sample.sample_key == 12
    assert data_sample.bands == FIVE


def test_a_packed_tile_without_label_has_none():
    assert 'gt_label' not in formatting.PackTile()(sample())['data_samples']


def test_a_meta_key_that_no_sample_has_is_refused():
    with pytest.raises(ConfigError, match=r"got \['img_idd'\]"):
        formatting.PackTile(meta_keys=('img_idd',))(sample())


@pytest.mark.parametrize(('boxes', 'label'), [([], 0), ([[10, 10, 20, 20]], 1)])
def test_a_window_has_the_label_of_its_own_boxes(boxes, label):
    assert formatting.LabelFromBoxes()({**sample(boxes), 'gt_label': 1})['gt_label'] == label
