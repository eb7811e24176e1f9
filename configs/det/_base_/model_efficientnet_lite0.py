"""The same detector on EfficientNet-Lite0, whose layers are EfficientNet-B0's."""

_base_ = './model_efficientnet_b0.py'
model = dict(backbone=dict(type='mmlandslide.EfficientNetLite', arch='lite0'))
