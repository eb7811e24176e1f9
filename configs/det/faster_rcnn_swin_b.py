"""Faster R-CNN Swin-B on Landslide4Sense, 14 bands, 36 epochs; backbone pre-trained with Swin-MAE.

Not yet measured.
"""

_base_ = './faster_rcnn_swin_t.py'
from mmlandslide.recipes import backbone_from

model = dict(
    backbone=dict(arch='base', pretrained=backbone_from('swin_mae')),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
