"""Faster R-CNN SatMAE ViT-B on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained on fMoW-Sentinel: not yet measured.
"""

_base_ = [
    './_base_/model_satmae.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import weights_file

model = dict(
    backbone=dict(
        pretrained=weights_file(
            'pretrain-vit-base-e199.pth', 'https://github.com/sustainlab-group/SatMAE'
        )
    )
)
