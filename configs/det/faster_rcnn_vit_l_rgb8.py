"""Faster R-CNN ViT-L on RGB Landslide4Sense, 224 px, 36 epochs; backbone pre-trained with MAE.

Not yet measured.
"""

_base_ = './faster_rcnn_vit_t_rgb8.py'
from mmlandslide.recipes import backbone_from

model = dict(
    backbone=dict(arch='large', drop_path_rate=0.4, pretrained=backbone_from('mae_vit_l_rgb8')),
    neck=dict(in_channels=1024),
)
