"""AdamW at a higher rate and a short cosine, for what two CPU cores do in minutes.

No validation on the way.
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=1e-3, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=9, warmup=1, val_interval=9)
auto_scale_lr = dict(enable=False, base_batch_size=4)
