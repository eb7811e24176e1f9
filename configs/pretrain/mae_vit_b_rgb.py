"""Old name of mae_vit_b_rgb8.py, for one release."""

_base_ = './mae_vit_b_rgb8.py'
