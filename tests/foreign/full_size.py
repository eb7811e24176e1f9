"""The sizes that are published: minutes, so for the slow tests."""

import open_clip
import timm
import torchvision

from foreign.case import QUICK, RESNET, Foreign, channels_first, ours_resnet, ours_swin
from foreign.clip import CLIP, class_token
from foreign.published import Mae, forward, official_swin
from foreign.satmae import BANDS, SATMAE, SatMae
from foreign.timm_models import tokens
from mmlandslide.models.backbones.satmae import SatMAEViT
from mmlandslide.models.backbones.vision_transformer import VisionTransformer


def full_clip(name, **options):
    return open_clip.create_model(name, pretrained=None, **options)


def full_vit(arch, **options):
    return VisionTransformer(arch=arch, bands='photograph', **{'out_type': 'raw', **options})


def full_tower(arch, patch_px, **options):
    norm_cfg = {'type': 'LN', 'eps': 1e-5}
    return full_vit(
        arch, patch_size=patch_px, out_type='cls_token', pre_norm=True, norm_cfg=norm_cfg, **options
    )


FULL_SIZE = [
    Foreign(
        'MAE or SatMAE pre-training',
        'MAE ViT-B/16',
        lambda: Mae(768, 12, 12, 3072, 16, 14),
        lambda: full_vit('base'),
        forward,
        side_px=224,
    ),
    Foreign(
        'MAE or SatMAE pre-training',
        'SatMAE RGB ViT-L/16',
        lambda: Mae(1024, 24, 16, 4096, 16, 14),
        lambda: full_vit('large'),
        forward,
        side_px=224,
    ),
    Foreign(
        SATMAE,
        'SatMAE ViT-B/8, three groups',
        lambda: SatMae(768, 12, 12, 3072, 8, 12, 256, 512),
        lambda: SatMAEViT(arch='base', bands=BANDS, out_type='raw'),
        forward,
        side_px=96,
        channels=10,
    ),
    Foreign(
        CLIP,
        'open_clip ViT-B/32',
        lambda: full_clip('ViT-B-32'),
        lambda: full_tower('base', 32),
        class_token,
        side_px=224,
    ),
    Foreign(
        CLIP,
        'SkyScript ViT-L/14',
        lambda: full_clip('ViT-L-14', force_quick_gelu=True),
        lambda: full_tower('large', 14, **QUICK),
        class_token,
        rename=lambda key: f'module.{key}',
        side_px=224,
    ),
    Foreign(
        'timm Swin',
        'Swin-B, window 7',
        lambda: timm.create_model('swin_base_patch4_window7_224'),
        lambda: ours_swin(arch='base', window_size=7),
        lambda theirs, x: channels_first(tokens(theirs, x)),
        side_px=224,
    ),
    Foreign(
        'official Swin',
        'Swin-B, window 7',
        lambda: torchvision.models.swin_b(),
        lambda: ours_swin(arch='base', window_size=7),
        lambda theirs, x: channels_first(theirs.norm(theirs.features(x))),
        rename=official_swin,
        side_px=224,
    ),
    Foreign(
        RESNET,
        'timm ResNet-50',
        lambda: timm.create_model('resnet50'),
        lambda: ours_resnet(depth=50),
        tokens,
    ),
]
