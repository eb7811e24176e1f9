"""The same for classifiers of photographs, with the best top-1 accuracy kept."""

_base_ = './runtime_supervised.py'
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
