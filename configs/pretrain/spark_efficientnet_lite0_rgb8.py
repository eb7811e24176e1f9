"""SparK of EfficientNet-Lite0 on RGB tiles, 224 px, 400 epochs: not yet measured."""

_base_ = [
    './_base_/model_spark_efficientnet_lite0.py',
    './_base_/data_l4s_rgb8.py',
    './_base_/optim_mae.py',
    './_base_/runtime_mae.py',
]
model = dict(data_preprocessor=dict(bands='rgb8'), backbone=dict(bands='rgb8'))
