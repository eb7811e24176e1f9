"""AdamW 2e-4 at batch 8 and a cosine over 36 epochs, one of them warm-up.

Validation every epoch.
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=2e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=36, warmup=1, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=8)
