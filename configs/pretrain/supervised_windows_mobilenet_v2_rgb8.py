"""MobileNetV2 on windows of RGB tiles (landslide / none), 100 epochs.

Backbone pre-trained on ImageNet; a teacher of `kd_mobilenet_v2_to_*_rgb8.py`: not yet measured.
"""

_base_ = [
    './_base_/model_supervised_mobilenet_v2.py',
    './_base_/data_l4s_windows_rgb8.py',
    './_base_/optim_supervised_convnet.py',
    './_base_/runtime_supervised.py',
]
from mmlandslide.recipes import balanced, imagenet_from_pip

model = dict(
    data_preprocessor=dict(bands='rgb8'),
    backbone=dict(bands='rgb8', pretrained=imagenet_from_pip('mobilenet_v2')),
    head=dict(loss=balanced(0.514)),
)
