"""Faster R-CNN EfficientNet-B0 on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained on tile labels: not yet measured.
"""

_base_ = [
    './_base_/model_efficientnet_b0.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(backbone=dict(pretrained=backbone_from('supervised_l4s_efficientnet_b0')))
