"""ResNet-18, binary tile classification (landslide / none) on RGB Landslide4Sense, 100 epochs, from
scratch.

Not yet measured.
"""

_base_ = [
    './_base_/model_supervised_convnet.py',
    './_base_/data_l4s_cls_b432.py',
    './_base_/optim_supervised_convnet.py',
    './_base_/runtime_supervised.py',
]
model = dict(data_preprocessor=dict(bands='rgb'), backbone=dict(bands='rgb'))
