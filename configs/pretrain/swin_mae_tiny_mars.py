"""Swin-MAE of Swin-T on Martian landslide tiles, 7 bands, 400 epochs: not yet measured."""

_base_ = [
    './_base_/model_swin_mae.py',
    './_base_/data_mars.py',
    './_base_/optim_mae.py',
    './_base_/runtime_mae.py',
]
model = dict(data_preprocessor=dict(bands='mars'), backbone=dict(arch='tiny', bands='mars'))
