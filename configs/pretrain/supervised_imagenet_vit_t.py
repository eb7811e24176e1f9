"""ViT-Tiny trained on ImageNet-1k, 224 px, 300 epochs, from scratch: not yet measured."""

_base_ = [
    './_base_/model_imagenet_vit.py',
    './_base_/data_imagenet.py',
    './_base_/optim_imagenet_transformer.py',
    './_base_/runtime_imagenet.py',
]
