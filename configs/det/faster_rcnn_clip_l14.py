"""Faster R-CNN CLIP ViT-L/14 on Landslide4Sense, 14 bands, 36 epochs.

Backbone pre-trained by SkyScript: not yet measured.
"""

_base_ = [
    './_base_/model_clip_l14.py',
    './_base_/data_l4s.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
