"""Swin-MAE of Swin-T on RGB Landslide4Sense train tiles, 224 px, 400 epochs: not yet measured."""

_base_ = './swin_mae_rgb8.py'
model = dict(backbone=dict(arch='tiny'))
