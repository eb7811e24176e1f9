"""Faster R-CNN CLIP ViT-L/14 on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained by SkyScript: not yet measured.
"""

_base_ = [
    './_base_/model_clip_l14.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
model = dict(data_preprocessor=dict(bands='rgb8'), backbone=dict(bands='rgb8'))
