"""Faster R-CNN MobileNetV2, narrow pyramid and head, on RGB crops across tile borders, 24 epochs.

Backbone pre-trained on ImageNet; sized for a CPU: not yet measured.
"""

_base_ = [
    './_base_/model_mobilenet_v2_small.py',
    './_base_/data_l4s_rgb8_across.py',
    './_base_/optim_long.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import imagenet_from_pip

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=imagenet_from_pip('mobilenet_v2')),
)
