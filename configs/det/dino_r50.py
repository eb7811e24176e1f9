"""DINO ResNet-50 on Landslide4Sense, 14 bands, 36 epochs; sized for a GPU.

Backbone pre-trained to tell tiles with landslides: not yet measured.
"""

_base_ = [
    './_base_/model_r50_dino.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(backbone=dict(pretrained=backbone_from('supervised_l4s_r50')))
