"""Old name of faster_rcnn_swin_b_rgb8.py, for one release."""

_base_ = './faster_rcnn_swin_b_rgb8.py'
