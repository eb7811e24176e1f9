"""The same detector on ResNet-50."""

_base_ = './model_r18.py'
model = dict(backbone=dict(depth=50), neck=dict(in_channels=[256, 512, 1024, 2048]))
