"""AdamW 2.5e-4 at batch 256 (1e-3 at 1024) and a cosine over 300 epochs, 20 of them warm-up (arXiv
2103.14030, section A2.1).
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=2.5e-4, clip=5.0)
train_cfg, param_scheduler = cosine(epochs=300, warmup=20, val_interval=1)
auto_scale_lr = dict(enable=False, base_batch_size=256)
