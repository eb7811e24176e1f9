"""The same detector on EfficientNet-Lite1."""

_base_ = './model_efficientnet_lite0.py'
model = dict(backbone=dict(arch='lite1'))
