"""Old name of faster_rcnn_mobilenet_v2_small_rgb8.py, for one release."""

_base_ = './faster_rcnn_mobilenet_v2_small_rgb8.py'
