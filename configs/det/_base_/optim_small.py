"""AdamW 6e-4 at batch 8, a cosine over 12 epochs, and the moving average of the weights at test."""

_base_ = []
from mmlandslide.recipes import adamw, cosine, ema

optim_wrapper = adamw(lr=6e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=12, warmup=1, val_interval=3)
auto_scale_lr = dict(enable=False, base_batch_size=8)
custom_hooks = [ema()]
