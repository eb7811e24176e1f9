"""Faster R-CNN EfficientNet-Lite1 on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained on ImageNet: not yet measured.
"""

_base_ = [
    './_base_/model_efficientnet_lite1.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import imagenet_from_pip

model = dict(backbone=dict(pretrained=imagenet_from_pip('efficientnet_lite1')))
