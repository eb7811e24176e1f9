"""torchvision's models, and those of MMPretrain and MMDetection."""

import mmdet.models.backbones as mmdet_backbones
import torch
import torchvision
from mmpretrain.models import backbones as mmpretrain_backbones

from foreign.case import (
    ELSEWHERE,
    PLAIN,
    RESNET,
    SWIN,
    VIT,
    Foreign,
    channels_first,
    maps,
    ours_b0,
    ours_mobilenet_v2,
    ours_resnet,
    ours_swin,
    ours_vit,
)


def torchvision_swin():
    return torchvision.models.SwinTransformer(
        [4, 4], 48, SWIN['depths'], SWIN['num_heads'], [2, 2], num_classes=2
    )


def torchvision_tokens(vit, x):
    return vit.encoder(
        torch.cat([vit.class_token.expand(len(x), -1, -1), vit._process_input(x)], 1)
    )


def torchvision_map(resnet, x):
    return resnet.layer4(
        resnet.layer3(
            resnet.layer2(resnet.layer1(resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))))
        )
    )


TORCHVISION = [
    Foreign(
        RESNET,
        'torchvision ResNet-18',
        torchvision.models.resnet18,
        lambda: ours_resnet(depth=18),
        torchvision_map,
    ),
    Foreign(
        'torchvision EfficientNet-B0',
        'EfficientNet-B0',
        torchvision.models.efficientnet_b0,
        lambda: ours_b0(**PLAIN),
        lambda theirs, x: theirs.features(x),
    ),
    Foreign(
        'torchvision MobileNetV2',
        'MobileNetV2',
        torchvision.models.mobilenet_v2,
        ours_mobilenet_v2,
        lambda theirs, x: theirs.features(x),
    ),
    Foreign(
        'torchvision Swin',
        'Swin nano',
        torchvision_swin,
        ours_swin,
        lambda theirs, x: channels_first(theirs.norm(theirs.features(x))),
    ),
    Foreign(
        'torchvision ViT',
        'ViT, 2 blocks',
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32),
        ours_vit,
        torchvision_tokens,
        side_px=32,
    ),
]


def of_a_detector(key):
    return f'backbone.{key}'


OPENMMLAB = [
    Foreign(
        RESNET,
        'MMPretrain ResNet-18',
        lambda: mmpretrain_backbones.ResNet(18, base_channels=8),
        lambda: ours_resnet(depth=18, base_channels=8),
        maps,
    ),
    Foreign(
        'MMPretrain EfficientNet',
        'EfficientNet-B0',
        lambda: mmpretrain_backbones.EfficientNet('b0'),
        ours_b0,
        maps,
    ),
    Foreign(
        'MMPretrain EfficientNet',
        'EfficientNet-B0, no head in ours',
        lambda: mmpretrain_backbones.EfficientNet('b0', out_indices=(5,)),
        lambda: ours_b0(out_indices=(5,)),
        maps,
    ),
    Foreign(
        'MMPretrain MobileNetV2',
        'MobileNetV2',
        mmpretrain_backbones.MobileNetV2,
        ours_mobilenet_v2,
        maps,
    ),
    Foreign(
        'MMPretrain MobileNetV2',
        'MobileNetV2, no head in ours',
        lambda: mmpretrain_backbones.MobileNetV2(out_indices=(6,)),
        lambda: ours_mobilenet_v2(out_indices=(6,)),
        maps,
    ),
    Foreign(
        'MMPretrain Swin',
        'MMPretrain Swin nano',
        lambda: mmpretrain_backbones.SwinTransformer(SWIN, window_size=2),
        ours_swin,
        maps,
    ),
    Foreign(
        'MMPretrain ViT',
        'ViT, 2 blocks',
        lambda: mmpretrain_backbones.VisionTransformer(VIT, 32, 8, out_type='raw'),
        ours_vit,
        maps,
        side_px=32,
    ),
    Foreign(
        RESNET,
        'MMDetection detector, ResNet-50',
        lambda: mmdet_backbones.ResNet(50, base_channels=8),
        lambda: ours_resnet(depth=50, base_channels=8, stem_channels=8),
        maps,
        rename=of_a_detector,
        beside=ELSEWHERE,
    ),
    Foreign(
        'MMPretrain Swin',
        'MMDetection detector, Swin nano',
        lambda: mmdet_backbones.SwinTransformer(window_size=2, **SWIN),
        lambda: ours_swin(out_indices=(0, 1, 2, 3)),
        lambda theirs, x: torch.cat([out.flatten() for out in theirs(x)]),
        lambda outs: torch.cat([out.flatten() for out in outs]),
        rename=of_a_detector,
        beside=ELSEWHERE,
        side_px=128,  # MMDetection shifts windows also where one fills the map
    ),
]
