"""Faster R-CNN Swin-T on Martian landslides, 7 bands, 36 epochs.

Backbone pre-trained with Swin-MAE: not yet measured.
"""

_base_ = [
    './_base_/model_swin.py',
    './_base_/data_mars.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(
    data_preprocessor=dict(bands='mars'),
    backbone=dict(bands='mars', pretrained=backbone_from('swin_mae_tiny_mars')),
)
