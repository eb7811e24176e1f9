import pytest
import torch

from mmlandslide.datasets import packing
from mmlandslide.errors import ConfigError
from tests.datasets.test_transforms import FIVE, sample


def test_packed_inputs_are_contiguous_float32():
    tile = sample([])
    tile['img'] = tile['img'][:, ::-1]
    inputs = packing.PackDetection()(tile)['inputs']
    assert inputs.is_contiguous()
    assert inputs.dtype == torch.float32
    assert inputs.shape == (14, 64, 64)


def test_an_empty_tile_packs_no_boxes():
    assert packing.PackDetection()(sample([]))['data_samples'].gt_instances.bboxes.shape == (0, 4)


@pytest.mark.parametrize('label', [0, 1])
def test_a_packed_tile_carries_its_label_and_its_key(label):
    data_sample = packing.PackTile()({**sample(bands=FIVE), 'gt_label': label})['data_samples']
    assert data_sample.gt_label.tolist() == [label]
    assert data_sample.sample_key == 12
    assert data_sample.bands == FIVE


def test_a_packed_tile_without_label_has_none():
    assert 'gt_label' not in packing.PackTile()(sample())['data_samples']


def test_a_meta_key_that_no_sample_has_is_refused():
    with pytest.raises(ConfigError, match=r"got \['img_idd'\]"):
        packing.PackTile(meta_keys=('img_idd',))(sample())
