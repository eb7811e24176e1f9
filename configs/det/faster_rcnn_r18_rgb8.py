"""Faster R-CNN ResNet-18 on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained on ImageNet: not yet measured.
"""

_base_ = [
    './_base_/model_r18.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=backbone_from('supervised_imagenet_r18')),
)
