"""Faster R-CNN EfficientNet-Lite1 on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained on ImageNet: not yet measured.
"""

_base_ = [
    './_base_/model_efficientnet_lite1.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import imagenet_from_pip

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=imagenet_from_pip('efficientnet_lite1')),
)
