"""ResNet-18, binary tile classification (landslide / none) on Landslide4Sense, 14 bands, 100
epochs, from scratch: not yet measured.
"""

_base_ = [
    './_base_/model_supervised_convnet.py',
    './_base_/data_l4s_cls.py',
    './_base_/optim_supervised_convnet.py',
    './_base_/runtime_supervised.py',
]
