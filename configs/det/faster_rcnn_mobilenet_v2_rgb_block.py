"""Old name of faster_rcnn_mobilenet_v2_rgb8_block.py, for one release."""

_base_ = './faster_rcnn_mobilenet_v2_rgb8_block.py'
