"""Old name of supervised_l4s_r18_b432.py, for one release."""

_base_ = './supervised_l4s_r18_b432.py'
