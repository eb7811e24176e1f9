"""EfficientNet-B0 trained on ImageNet-1k, 224 px, 100 epochs, from scratch: not yet measured."""

_base_ = './supervised_imagenet_r18.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.EfficientNet',
        arch='b0',
        bands='rgb8',
        drop_path_rate=0.2,
    ),
    head=dict(in_channels=1280),
)
