"""ViT-Large trained on ImageNet-1k, 224 px, 300 epochs, from scratch: not yet measured."""

_base_ = './supervised_imagenet_vit_t.py'
model = dict(backbone=dict(arch='large', drop_path_rate=0.3), head=dict(in_channels=1024))
