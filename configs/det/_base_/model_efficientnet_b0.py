"""The same detector on EfficientNet-B0, tapped where the stride is about to double.

Layers 2 to 5.
"""

_base_ = './model_r18.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.EfficientNet',
        arch='b0',
        bands='all',
        out_indices=(2, 3, 4, 5),
    ),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
