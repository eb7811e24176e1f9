"""The same detector on a plain ViT under ViTDet's simple pyramid (arXiv 2203.16527).

ViT-T, 16 x 16 tokens of 16 px at 256 px.
"""

_base_ = './model_r18.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.VisionTransformer',
        arch='deit-tiny',
        bands='all',
        img_size=256,
        drop_path_rate=0.1,
        out_type='featmap',
    ),
    neck=dict(
        _delete_=True,
        type='mmlandslide.SimpleFPN',
        in_channels=192,
        out_channels=128,
        in_stride=16,
        num_outs=5,
    ),
)
