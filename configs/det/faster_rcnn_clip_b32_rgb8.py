"""Faster R-CNN CLIP ViT-B/32 on RGB Landslide4Sense, 224 px, 36 epochs.

Backbone pre-trained by open_clip: not yet measured.
"""

_base_ = [
    './_base_/model_clip_b32.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
model = dict(data_preprocessor=dict(bands='rgb8'), backbone=dict(bands='rgb8'))
