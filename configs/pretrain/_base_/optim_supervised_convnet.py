"""AdamW 5e-4 at batch 64 and a cosine over 100 epochs, 5 of them warm-up.

Validation every epoch.
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=5e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=100, warmup=5, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=64)
