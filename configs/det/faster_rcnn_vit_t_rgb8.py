"""Faster R-CNN ViT-T on RGB Landslide4Sense, 224 px, 36 epochs; backbone pre-trained on ImageNet.

Not yet measured.
"""

_base_ = [
    './_base_/model_vit.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(
        bands='rgb8', img_size=224, pretrained=backbone_from('supervised_imagenet_vit_t')
    ),
)
