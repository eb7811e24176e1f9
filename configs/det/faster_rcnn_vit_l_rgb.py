"""Old name of faster_rcnn_vit_l_rgb8.py, for one release."""

_base_ = './faster_rcnn_vit_l_rgb8.py'
