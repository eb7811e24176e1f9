"""HuggingFace's models."""

import torch
import transformers

from foreign.case import QUICK, SWIN, Foreign, ours_resnet, ours_swin, ours_vit
from foreign.clip import ours_clip

_SMALL = {
    'hidden_size': 16,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
    'intermediate_size': 32,
}
_SMALL |= {'image_size': 32, 'patch_size': 8}


def huggingface_vit():
    return transformers.ViTForImageClassification(transformers.ViTConfig(**_SMALL))


def huggingface_mae():
    decoder = {
        'decoder_hidden_size': 8,
        'decoder_intermediate_size': 16,
        'decoder_num_hidden_layers': 1,
    }
    config = transformers.ViTMAEConfig(
        **_SMALL, **decoder, decoder_num_attention_heads=2, mask_ratio=0.0
    )
    return transformers.ViTMAEForPreTraining(config)


def huggingface_swin():
    config = transformers.SwinConfig(
        64, embed_dim=48, depths=[2] * 4, num_heads=SWIN['num_heads'], window_size=2
    )
    return transformers.SwinForImageClassification(config)


def huggingface_resnet(kind, widths, depths):
    config = transformers.ResNetConfig(hidden_sizes=widths, depths=depths, layer_type=kind)
    return transformers.ResNetForImageClassification(config)


HUGGINGFACE_VIT = 'HuggingFace ViT or ViTMAE'
HUGGINGFACE = [
    Foreign(
        HUGGINGFACE_VIT,
        'ViT, 2 blocks',
        huggingface_vit,
        lambda: ours_vit(eps=1e-12),
        lambda theirs, x: theirs.vit(x).last_hidden_state,
        side_px=32,
    ),
    Foreign(
        HUGGINGFACE_VIT,
        'ViTMAE, 2 blocks, with decoder',
        huggingface_mae,
        lambda: ours_vit(eps=1e-12),
        lambda theirs, x: (
            theirs.vit(x, noise=torch.arange(16.0).expand(len(x), -1)).last_hidden_state
        ),
        side_px=32,
    ),
    Foreign(
        'HuggingFace Swin',
        'Swin nano',
        huggingface_swin,
        ours_swin,
        lambda theirs, x: theirs.swin(x).last_hidden_state,
        lambda outs: outs[-1].flatten(2).transpose(1, 2),
    ),
    Foreign(
        'HuggingFace ResNet',
        'ResNet-18, an eighth as wide',
        lambda: huggingface_resnet('basic', [8, 16, 32, 64], [2, 2, 2, 2]),
        lambda: ours_resnet(depth=18, base_channels=8),
        lambda theirs, x: theirs.resnet(x).last_hidden_state,
    ),
    Foreign(
        'HuggingFace ResNet',
        'ResNet-50, an eighth as wide',
        lambda: huggingface_resnet('bottleneck', [32, 64, 128, 256], [3, 4, 6, 3]),
        lambda: ours_resnet(depth=50, base_channels=8),
        lambda theirs, x: theirs.resnet(x).last_hidden_state,
    ),
    Foreign(
        'HuggingFace CLIP',
        'ViT, 2 blocks, QuickGELU',
        lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**_SMALL)),
        lambda: ours_clip(**QUICK),
        lambda theirs, x: theirs(x).pooler_output,
        side_px=32,
    ),
]
