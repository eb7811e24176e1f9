"""Old name of swin_mae_rgb8.py, for one release."""

_base_ = './swin_mae_rgb8.py'
