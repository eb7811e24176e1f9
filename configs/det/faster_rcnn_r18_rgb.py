"""Old name of faster_rcnn_r18_rgb8.py, for one release."""

_base_ = './faster_rcnn_r18_rgb8.py'
