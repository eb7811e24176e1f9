"""Faster R-CNN MobileNetV2 on Landslide4Sense, 14 bands, 36 epochs; scored rows lie apart.

Trained on rows 0-49 of scene A, scored on rows 52-73. Backbone pre-trained on ImageNet: not yet
measured.
"""

_base_ = './faster_rcnn_mobilenet_v2.py'
protocol = 'block'
