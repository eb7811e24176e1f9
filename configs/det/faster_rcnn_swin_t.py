"""Faster R-CNN Swin-T on Landslide4Sense, 14 bands, 36 epochs; backbone pre-trained with Swin-MAE.

Not yet measured.
"""

_base_ = [
    './_base_/model_swin.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(backbone=dict(pretrained=backbone_from('swin_mae_tiny')))
