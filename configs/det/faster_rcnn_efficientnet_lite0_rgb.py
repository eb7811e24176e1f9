"""Old name of faster_rcnn_efficientnet_lite0_rgb8.py, for one release."""

_base_ = './faster_rcnn_efficientnet_lite0_rgb8.py'
