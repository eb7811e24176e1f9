"""Faster R-CNN ResNet-18 on Martian landslides, 7 bands, 36 epochs, from scratch until weights are
given: not yet measured.
"""

_base_ = [
    './_base_/model_r18.py',
    './_base_/data_mars.py',
    './_base_/optim.py',
    './_base_/runtime.py',
]
model = dict(data_preprocessor=dict(bands='mars'), backbone=dict(bands='mars'))
