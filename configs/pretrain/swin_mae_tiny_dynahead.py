"""Swin-MAE of Swin-T on Dynahead-YOLO train tiles, crops of 256 px, 400 epochs.

Not yet measured.
"""

_base_ = [
    './_base_/model_swin_mae.py',
    './_base_/data_dynahead.py',
    './_base_/optim_mae.py',
    './_base_/runtime_mae.py',
]
model = dict(data_preprocessor=dict(bands='rgb8'), backbone=dict(arch='tiny', bands='rgb8'))
