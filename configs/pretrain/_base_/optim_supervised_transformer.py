"""AdamW 2.5e-4 at batch 64 and a cosine over 200 epochs, 20 of them warm-up.

Attention starts later than convolution.
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=2.5e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=200, warmup=20, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=64)
