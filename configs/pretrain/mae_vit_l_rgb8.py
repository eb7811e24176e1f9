"""MAE of ViT-L on RGB Landslide4Sense train tiles, 224 px, 400 epochs: not yet measured."""

_base_ = './mae_vit_b_rgb8.py'
model = dict(backbone=dict(arch='large'))
