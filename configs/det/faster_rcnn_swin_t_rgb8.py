"""Faster R-CNN Swin-T on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained with Swin-MAE: not yet measured.
"""

_base_ = [
    './_base_/model_swin.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=backbone_from('swin_mae_tiny_rgb8')),
)
