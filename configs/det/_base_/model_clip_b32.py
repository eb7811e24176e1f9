"""The same detector on open_clip's ViT-B/32 image tower (LAION-2B, arXiv 2212.07143): GELU.

Its stride stays 32, for the tokens of its pre-training (7 x 7 at 224 px) and a quarter of the cost;
the pyramid starts from there.
"""

_base_ = './model_vit.py'
from mmlandslide.recipes import weights_file

model = dict(
    backbone=dict(
        arch='base',
        patch_size=32,
        img_size=224,
        pre_norm=True,
        norm_cfg=dict(type='LN', eps=1e-5),
        pretrained=weights_file(
            'vit_b_32-laion2b_e16-af8dbd0c.pth',
            published_at='https://github.com/mlfoundations/open_clip/releases/download/v0.2-weights/vit_b_32-laion2b_e16-af8dbd0c.pth',
        ),
    ),
    neck=dict(in_channels=768, in_stride=32),
)
