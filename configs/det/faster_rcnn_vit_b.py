"""Faster R-CNN ViT-B on Landslide4Sense, 14 bands, 36 epochs; backbone pre-trained with MAE.

Not yet measured.
"""

_base_ = './faster_rcnn_vit_t.py'
from mmlandslide.recipes import backbone_from

model = dict(
    backbone=dict(arch='base', pretrained=backbone_from('mae_vit_b')), neck=dict(in_channels=768)
)
