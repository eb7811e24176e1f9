"""ViT-Base trained on ImageNet-1k, 224 px, 300 epochs, from scratch: not yet measured."""

_base_ = './supervised_imagenet_vit_t.py'
model = dict(backbone=dict(arch='base', drop_path_rate=0.2), head=dict(in_channels=768))
