"""The same classifier on MobileNetV2, with its last layer of 1280 channels."""

_base_ = './model_supervised_convnet.py'
model = dict(
    backbone=dict(_delete_=True, type='mmlandslide.MobileNetV2', bands='all'),
    head=dict(in_channels=1280),
)
