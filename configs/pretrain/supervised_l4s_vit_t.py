"""ViT-Tiny, binary tile classification (landslide / none) on Landslide4Sense, 14 bands, 200 epochs,
from scratch: not yet measured.
"""

_base_ = [
    './_base_/model_supervised_vit.py',
    './_base_/data_l4s_cls.py',
    './_base_/optim_supervised_transformer.py',
    './_base_/runtime_supervised.py',
]
