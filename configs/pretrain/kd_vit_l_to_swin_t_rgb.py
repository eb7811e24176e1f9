"""Old name of kd_vit_l_to_swin_t_b432.py, for one release."""

_base_ = './kd_vit_l_to_swin_t_b432.py'
