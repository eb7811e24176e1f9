"""Old name of faster_rcnn_clip_b32_rgb8.py, for one release."""

_base_ = './faster_rcnn_clip_b32_rgb8.py'
