"""The same detector on MobileNetV2, tapped where the stride is about to double.

After layers 2, 3, 5 and 7.
"""

_base_ = './model_r18.py'
model = dict(
    backbone=dict(
        _delete_=True, type='mmlandslide.MobileNetV2', bands='all', out_indices=(1, 2, 4, 6)
    ),
    neck=dict(in_channels=[24, 32, 96, 320]),
)
