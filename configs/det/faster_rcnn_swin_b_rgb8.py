"""Faster R-CNN Swin-B on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained with Swin-MAE: not yet measured.
"""

_base_ = './faster_rcnn_swin_t_rgb8.py'
from mmlandslide.recipes import backbone_from

model = dict(
    backbone=dict(arch='base', pretrained=backbone_from('swin_mae_rgb8')),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
