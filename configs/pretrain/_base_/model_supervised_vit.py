"""The same classifier on ViT-Tiny, patch 16.

The mean of its patch tokens, which the detector reads, and not the class token.
"""

_base_ = './model_supervised_convnet.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.VisionTransformer',
        arch='deit-tiny',
        bands='all',
        img_size=256,
        out_type='avg_featmap',
        drop_path_rate=0.1,
    ),
    neck=None,
    head=dict(in_channels=192),
)
