"""Old name of supervised_l4s_swin_t_b432.py, for one release."""

_base_ = './supervised_l4s_swin_t_b432.py'
