"""Faster R-CNN MobileNetV2 on RGB Landslide4Sense, 224 px, 36 epochs; scored rows lie apart.

Trained on rows 0-49 of scene A, scored on rows 52-73. Backbone pre-trained on ImageNet: not yet
measured.
"""

_base_ = './faster_rcnn_mobilenet_v2_rgb8.py'
protocol = 'block'
