"""A foreign model beside ours.

How each is built, how the foreign one is published, and what to compare.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.inverted_residuals import (
    EfficientNet,
    EfficientNetLite,
    MobileNetV2,
)
from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.vision_transformer import VisionTransformer

SWIN = {'embed_dims': 48, 'depths': [2, 2, 2, 2], 'num_heads': [3, 6, 12, 24]}
VIT = {'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32}
PLAIN = {'conv_cfg': {'type': 'Conv2d'}, 'norm_cfg': {'type': 'BN'}, 'out_indices': (6,)}
QUICK = {'layer_cfgs': {'act_cfg': {'type': 'mmpretrain.QuickGELU'}}}

Model = torch.nn.Module


def ours_vit(eps=1e-6, **options):
    options = {'out_type': 'raw', **options}
    return VisionTransformer(
        arch=VIT,
        img_size=32,
        patch_size=8,
        bands='photograph',
        norm_cfg={'type': 'LN', 'eps': eps},
        **options,
    )


def ours_swin(**options):
    return SwinTransformer(**{'arch': 'nano', 'bands': 'photograph', 'window_size': 2, **options})


def ours_resnet(**options):
    return ResNet(bands='photograph', out_indices=(3,), **options)


def ours_b0(**options):
    return EfficientNet(arch='b0', bands='photograph', **options)


def ours_lite0(**options):
    return EfficientNetLite(bands='photograph', **options)


def ours_lite1(**options):
    return EfficientNetLite(arch='lite1', bands='photograph', **options)


def ours_lite2(**options):
    return EfficientNetLite(arch='lite2', bands='photograph', **options)


def ours_mobilenet_v2(**options):
    return MobileNetV2(bands='photograph', **options)


@dataclass(frozen=True)
class Foreign:
    """One foreign model beside ours.

    Attributes:
        source: that the bridge must recognise.
        architecture: for the table.
        theirs: builds the foreign model.
        ours: builds ours.
        features: of the foreign model for an input.
        taken: what of ours to compare them with.
        rename: the foreign model's keys as published, where they are not its own.
        beside: tensors that a published file has beside them.
        new: parameters of ours that this source cannot have.
        side_px: of the input.
        channels: of the input.
    """

    source: str
    architecture: str
    theirs: Callable[[], Model]
    ours: Callable[[], Model]
    features: Callable[[Any, torch.Tensor], torch.Tensor]
    taken: Callable[[tuple[torch.Tensor, ...]], torch.Tensor] = lambda outs: outs[-1]
    rename: Callable[[str], str | None] = lambda key: key
    beside: dict[str, torch.Tensor] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    side_px: int = 64
    channels: int = 3

    def published(self, theirs: Model) -> dict[str, torch.Tensor]:
        """Return the state dict as it is published."""
        renamed = {self.rename(key): value for key, value in theirs.state_dict().items()}
        return {key: value for key, value in renamed.items() if key is not None} | self.beside

    def save(self, theirs: Model, folder: Path) -> Path:
        """Write the file as its publisher does; a training's carries its optimiser."""
        if isinstance(theirs, transformers.PreTrainedModel):
            theirs.save_pretrained(folder)
            return folder / 'model.safetensors'
        optimizer = torch.optim.AdamW(theirs.parameters()).state_dict()
        torch.save(
            {'model': self.published(theirs), 'optimizer': optimizer, 'epoch': 3},
            folder / 'checkpoint.pth',
        )
        return folder / 'checkpoint.pth'

    def __str__(self) -> str:
        return f'{self.source}: {self.architecture}'


def channels_first(features):
    return features.permute(0, 3, 1, 2)


def maps(model, x):
    return model(x)[-1]


#: What a detector has beside its backbone.
ELSEWHERE = {
    'neck.lateral_convs.0.conv.weight': torch.ones(2, 2),
    'rpn_head.rpn_cls.bias': torch.ones(2),
}
RESNET = 'ResNet of torchvision or MMPretrain'
