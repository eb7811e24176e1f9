"""Faster R-CNN ViT-B on RGB Landslide4Sense, 224 px, 36 epochs; backbone pre-trained with MAE.

Not yet measured.
"""

_base_ = './faster_rcnn_vit_t_rgb8.py'
from mmlandslide.recipes import backbone_from

model = dict(
    backbone=dict(arch='base', pretrained=backbone_from('mae_vit_b_rgb8')),
    neck=dict(in_channels=768),
)
