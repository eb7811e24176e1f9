"""The same detector on the CLIP ViT-L/14 image tower of SkyScript (arXiv 2312.12856), which went on
from OpenAI's: QuickGELU.

Its 14 px patches come out at a stride of 16: tiles of 256 px are seen at 224 px, the 16 x 16 tokens
of its pre-training.
"""

_base_ = './model_vit.py'
from mmlandslide.recipes import weights_file

model = dict(
    backbone=dict(
        arch='large',
        patch_size=14,
        stride=16,
        img_size=224,
        pre_norm=True,
        norm_cfg=dict(type='LN', eps=1e-5),
        layer_cfgs=dict(act_cfg=dict(type='mmpretrain.QuickGELU')),
        drop_path_rate=0.4,
        pretrained=weights_file(
            'SkyCLIP_ViT_L14_top30pct_filtered_by_CLIP_laion_RS.pt',
            published_at='https://opendatasharing.s3.us-west-2.amazonaws.com/SkyScript/ckpt/'
            'SkyCLIP_ViT_L14_top30pct_filtered_by_CLIP_laion_RS.zip',
        ),
    ),
    neck=dict(in_channels=1024),
)
