"""Swin-MAE of Swin-T on Landslide4Sense train tiles, 14 bands, 400 epochs: not yet measured."""

_base_ = './swin_mae.py'
model = dict(backbone=dict(arch='tiny'))
