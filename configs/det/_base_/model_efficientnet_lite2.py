"""The same detector on EfficientNet-Lite2, whose pyramid has other widths."""

_base_ = './model_efficientnet_lite0.py'
model = dict(backbone=dict(arch='lite2'), neck=dict(in_channels=[24, 48, 120, 352]))
