"""AdamW at a higher rate and a short cosine, for what two CPU cores do in eight minutes; no validation on the way."""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=5e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=10, warmup=1, val_interval=10)
auto_scale_lr = dict(enable=False, base_batch_size=8)
