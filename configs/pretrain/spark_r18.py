"""SparK of ResNet-18 on Landslide4Sense train tiles, 14 bands, 400 epochs: not yet measured."""

_base_ = [
    './_base_/model_spark.py',
    './_base_/data_l4s.py',
    './_base_/optim_mae.py',
    './_base_/runtime_mae.py',
]
