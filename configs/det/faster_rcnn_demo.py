"""Faster R-CNN on a small Swin, 14 bands, simulated tiles, for `make demo`.

Backbone pre-trained with Swin-MAE.
"""

_base_ = [
    './_base_/model_demo.py',
    './_base_/data_demo.py',
    './_base_/optim_demo.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(backbone=dict(pretrained=backbone_from('swin_mae_demo')))
