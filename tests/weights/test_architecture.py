import pytest
import torch
from foreign.case import VIT

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.registry import MODELS
from mmlandslide.weights.architecture import NAMED, deduce, named

BACKBONES = [
    {'type': 'ResNet', 'depth': 34, 'stem_channels': 64, 'base_channels': 64},
    {'type': 'ResNet', 'depth': 50, 'stem_channels': 16, 'base_channels': 8},
    {'type': 'EfficientNet', 'arch': 'b0', 'out_indices': (6,)},
    {'type': 'EfficientNetLite', 'arch': 'lite0', 'out_indices': (5,)},
    {'type': 'EfficientNetLite', 'arch': 'lite1', 'out_indices': (6,)},
    {'type': 'EfficientNetLite', 'arch': 'lite2', 'out_indices': (5,)},
    {'type': 'MobileNetV2', 'widen_factor': 0.5, 'out_indices': (6,)},
    {
        'type': 'SwinTransformer',
        'arch': {'embed_dims': 32, 'depths': [1, 2, 3, 1], 'num_heads': [1, 2, 4, 8]},
        'window_size': 7,
        'out_indices': [1, 3],
    },
    {
        'type': 'VisionTransformer',
        'arch': {**VIT, 'num_heads': 1},
        'patch_size': 14,
        'img_size': 56,
        'with_cls_token': False,
        'pre_norm': True,
        'final_norm': True,
        'out_type': 'raw',
    },
    {
        'type': 'SatMAEViT',
        'arch': {**VIT, 'num_heads': 1},
        'patch_size': 8,
        'img_size': 96,
        'with_cls_token': True,
        'pre_norm': False,
        'final_norm': True,
        'out_type': 'raw',
        'groups': [['B11', 'B12'], ['DEM']],
        'channel_dims': 4,
    },
]


def build(cfg):
    return MODELS.build({**cfg, 'type': f'mmlandslide.{cfg["type"]}', 'bands': 'all'})


@pytest.mark.parametrize('cfg', BACKBONES, ids=lambda cfg: cfg['type'])
def test_a_backbone_is_told_from_its_tensors(cfg):
    assert deduce(build(cfg).state_dict(), 'a.pth') == cfg


@pytest.mark.parametrize(
    'found', [{}, {'weight': torch.ones(1)}, {'layer1.0.conv1.weight': torch.ones(4, 4)}]
)
def test_what_is_no_backbone_is_refused(found):
    with pytest.raises(
        CheckpointMismatchError,
        match=rf'got {len(found)} tensors such as .* in a\.pth\. Name the architecture',
    ):
        deduce(found, 'a.pth')


def test_a_name_that_is_not_known_lists_those_that_are():
    with pytest.raises(ConfigError, match=r"be one of \['resnet18', .*got 'resnet19' in --arch"):
        named('resnet19')


@pytest.mark.parametrize(
    'name', ['resnet18', 'efficientnet_b0', 'vit_tiny', 'swin_tiny', 'mobilenet_v2']
)
def test_a_name_builds(name):
    assert build(NAMED[name]).bands == LANDSLIDE4SENSE


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMED)
def test_every_name_builds_what_it_is_deduced_as(name):
    cfg = (
        deduce(build(NAMED[name]).state_dict(), name) if 'efficientnet' not in name else NAMED[name]
    )
    assert build(cfg).state_dict().keys() == build(NAMED[name]).state_dict().keys()
