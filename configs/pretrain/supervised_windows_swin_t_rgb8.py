"""Swin-T on windows of RGB tiles (landslide / none), 200 epochs, from scratch: not yet measured."""

_base_ = [
    './_base_/model_supervised_swin.py',
    './_base_/data_l4s_windows_rgb8.py',
    './_base_/optim_supervised_transformer.py',
    './_base_/runtime_supervised.py',
]
from mmlandslide.recipes import balanced

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8'),
    head=dict(loss=balanced(0.514)),
)
