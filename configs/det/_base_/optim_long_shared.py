"""The same for a head whose levels share their convolutions: each parameter once."""

_base_ = './optim_long.py'
optim_wrapper = dict(paramwise_cfg=dict(bypass_duplicate=True))
