"""Swin-MAE of a small Swin (48 channels, 2 blocks a stage) on simulated tiles, for `make demo`."""

_base_ = [
    './_base_/model_swin_mae.py',
    './_base_/data_demo.py',
    './_base_/optim_demo.py',
    './_base_/runtime_mae.py',
]
model = dict(backbone=dict(arch='nano'))
