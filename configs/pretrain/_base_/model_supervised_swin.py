"""The same classifier on Swin-T with window 8, as the detector has it."""

_base_ = './model_supervised_convnet.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.SwinTransformer',
        arch='tiny',
        bands='all',
        window_size=8,
        drop_path_rate=0.2,
    ),
    head=dict(in_channels=768),
)
