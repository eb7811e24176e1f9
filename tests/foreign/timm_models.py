"""timm's models."""

import timm

from foreign.case import (
    PLAIN,
    RESNET,
    Foreign,
    channels_first,
    ours_b0,
    ours_lite0,
    ours_lite1,
    ours_mobilenet_v2,
    ours_resnet,
    ours_swin,
    ours_vit,
)


def timm_vit(**options):
    small = {
        'img_size': 32,
        'patch_size': 8,
        'embed_dim': 16,
        'depth': 2,
        'num_heads': 2,
        'mlp_ratio': 2,
        'num_classes': 2,
    }
    return timm.models.vision_transformer.VisionTransformer(**small, **options)


def tokens(model, x):
    return model.forward_features(x)


TIMM_VIT = 'ViT of timm, MAE or SatMAE'
TIMM = [
    Foreign(
        RESNET,
        'timm ResNet-18',
        lambda: timm.create_model('resnet18'),
        lambda: ours_resnet(depth=18),
        tokens,
    ),
    Foreign(
        'timm EfficientNet-B0',
        'EfficientNet-B0',
        lambda: timm.create_model('efficientnet_b0'),
        lambda: ours_b0(**PLAIN),
        tokens,
    ),
    Foreign(
        'timm EfficientNet-Lite0',
        'EfficientNet-Lite0, TF padding',
        lambda: timm.create_model('tf_efficientnet_lite0'),
        ours_lite0,
        tokens,
    ),
    Foreign(
        'timm EfficientNet-Lite0',
        'EfficientNet-Lite0',
        lambda: timm.create_model('efficientnet_lite0'),
        lambda: ours_lite0(**PLAIN),
        tokens,
    ),
    Foreign(
        'timm EfficientNet-Lite1 or -Lite2',
        'EfficientNet-Lite1, TF padding',
        lambda: timm.create_model('tf_efficientnet_lite1'),
        ours_lite1,
        tokens,
    ),
    Foreign(
        'timm MobileNetV2',
        'MobileNetV2',
        lambda: timm.create_model('mobilenetv2_100'),
        ours_mobilenet_v2,
        tokens,
    ),
    Foreign(
        'timm Swin',
        'Swin nano',
        lambda: timm.models.swin_transformer.SwinTransformer(
            64, embed_dim=48, num_heads=(3, 6, 12, 24), depths=(2,) * 4, window_size=2
        ),
        ours_swin,
        lambda theirs, x: channels_first(tokens(theirs, x)),
    ),
    Foreign(TIMM_VIT, 'timm ViT, 2 blocks', timm_vit, ours_vit, tokens, side_px=32),
    Foreign(
        TIMM_VIT,
        'timm ViT, norm before blocks',
        lambda: timm_vit(pre_norm=True),
        lambda: ours_vit(pre_norm=True),
        tokens,
        side_px=32,
    ),
    Foreign(
        'ViT of timm or MAE that averages its tokens',
        'timm ViT, 2 blocks',
        lambda: timm_vit(global_pool='avg'),
        lambda: ours_vit(out_type='avg_featmap', final_norm=False),
        lambda theirs, x: theirs.forward_head(tokens(theirs, x), pre_logits=True),
        side_px=32,
    ),
]
