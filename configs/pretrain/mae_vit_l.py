"""MAE of ViT-L on Landslide4Sense train tiles, 14 bands, 400 epochs: not yet measured."""

_base_ = './mae_vit_b.py'
model = dict(backbone=dict(arch='large'))
