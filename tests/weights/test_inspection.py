import hashlib

import pytest
import torch
from foreign.case import VIT
from safetensors.torch import save_file

from mmlandslide.registry import MODELS
from mmlandslide.weights.inspection import inspect

SWIN = {
    'type': 'mmlandslide.SwinTransformer',
    'arch': {'embed_dims': 12, 'depths': [1, 2, 1, 1], 'num_heads': [1, 2, 4, 8]},
}


@pytest.mark.parametrize(
    ('model', 'source', 'architecture'),
    [
        (SWIN, 'MMPretrain Swin', {'width': 12, 'in_channels': 14, 'depths': [1, 2, 1, 1]}),
        (
            {'type': 'mmlandslide.ResNet', 'depth': 18},
            'ResNet of torchvision or MMPretrain',
            {'width': 64, 'in_channels': 14, 'depths': [2, 2, 2, 2]},
        ),
        # Four, four and two bands.
        (
            {'type': 'mmlandslide.SatMAEViT', 'arch': VIT, 'channel_dims': 4},
            'SatMAE over groups of bands',
            {'width': 16, 'in_channels': 10, 'depths': [2]},
        ),
    ],
)
def test_a_backbone_is_recognised_with_its_size(tmp_path, model, source, architecture):
    save_file(
        dict(MODELS.build({**model, 'bands': 'all'}).state_dict()), tmp_path / 'a.safetensors'
    )
    found = inspect(tmp_path / 'a.safetensors')
    assert (found['source'], found['architecture'], found['container']) == (
        source,
        architecture,
        'safetensors',
    )


def test_a_file_of_something_else_is_counted_and_not_recognised(tmp_path):
    torch.save(
        {'a.b': torch.ones(2, 3), 'a.c': torch.ones(4, dtype=torch.int64)}, tmp_path / 'a.pth'
    )
    found = inspect(tmp_path / 'a.pth')
    assert (found['source'], found['holds'], found['tensors'], found['parameters']) == (
        None,
        ['tensors'],
        2,
        10,
    )
    assert found['dtypes'] == {'float32': 6, 'int64': 4}


def test_the_hash_is_that_of_the_bytes(tmp_path):
    torch.save({'a': torch.ones(3)}, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    found = inspect(tmp_path / 'a.pth')
    assert found['sha256'] == hashlib.sha256((tmp_path / 'a.pth').read_bytes()).hexdigest()
    assert (found['container'], found['bytes']) == (
        'torch legacy',
        (tmp_path / 'a.pth').stat().st_size,
    )


def test_keys_that_look_like_blocks_and_are_none_do_not_count(tmp_path):
    state = MODELS.build({'type': 'mmlandslide.ResNet', 'depth': 18, 'bands': 'rgb'}).state_dict()
    torch.save(
        {**state, 'layer_scale': torch.ones(3), 'stages.0.blocks': torch.ones(3)},
        tmp_path / 'a.pth',
    )
    assert inspect(tmp_path / 'a.pth')['architecture']['depths'] == [2, 2, 2, 2]
