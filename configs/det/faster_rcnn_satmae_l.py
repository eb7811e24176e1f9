"""Faster R-CNN SatMAE ViT-L on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained on fMoW-Sentinel: not yet measured.
"""

_base_ = './faster_rcnn_satmae_b.py'
model = dict(
    backbone=dict(
        arch='large', pretrained=dict(checkpoint='data/weights/pretrain-vit-large-e199.pth')
    ),
    neck=dict(in_channels=1024),
)
