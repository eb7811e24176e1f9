"""Faster R-CNN ViT-T on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained on the tiles' labels: not yet measured.
"""

_base_ = [
    './_base_/model_vit.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(backbone=dict(pretrained=backbone_from('supervised_l4s_vit_t')))
