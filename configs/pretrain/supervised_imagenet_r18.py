"""ResNet-18 trained on ImageNet-1k, 224 px, 100 epochs, from scratch: not yet measured."""

_base_ = [
    './_base_/model_imagenet_convnet.py',
    './_base_/data_imagenet.py',
    './_base_/optim_imagenet_convnet.py',
    './_base_/runtime_imagenet.py',
]
