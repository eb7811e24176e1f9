"""Old name of faster_rcnn_clip_l14_rgb8.py, for one release."""

_base_ = './faster_rcnn_clip_l14_rgb8.py'
