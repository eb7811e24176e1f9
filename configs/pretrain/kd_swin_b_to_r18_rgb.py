"""Old name of kd_swin_b_to_r18_b432.py, for one release."""

_base_ = './kd_swin_b_to_r18_b432.py'
