"""The same detector on Swin-T with window 8: at 256 px every map is a multiple of it."""

_base_ = './model_r18.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.SwinTransformer',
        arch='tiny',
        bands='all',
        window_size=8,
        drop_path_rate=0.1,
        out_indices=(0, 1, 2, 3),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
