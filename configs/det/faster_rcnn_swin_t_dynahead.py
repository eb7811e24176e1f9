"""Faster R-CNN Swin-T on Dynahead-YOLO tiles, 512 px, 36 epochs.

Anchors are those that `mmlandslide stats --voc data/dynahead_rgb/train --input-px 512` fits.
Backbone pre-trained with Swin-MAE: not yet measured.
"""

_base_ = [
    './_base_/model_swin.py',
    './_base_/data_dynahead.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
from mmlandslide.recipes import backbone_from

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=backbone_from('swin_mae_tiny_dynahead')),
    rpn_head=dict(anchor_generator=dict(octave_base_scale=8, scales_per_octave=1)),
)
