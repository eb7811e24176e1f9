"""Old name of kd_vit_l_to_swin_b_b432.py, for one release."""

_base_ = './kd_vit_l_to_swin_b_b432.py'
