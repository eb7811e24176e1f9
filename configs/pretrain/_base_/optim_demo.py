"""The recipe of `optim_mae.py`, cut to what two CPU cores do in minutes.

Batch 16, so a lower rate (1e-3 collapses to the mean).
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=4e-4, betas=(0.9, 0.95), clip=5.0)
train_cfg, param_scheduler = cosine(epochs=12, warmup=1)
auto_scale_lr = dict(enable=False, base_batch_size=16)
