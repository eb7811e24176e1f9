"""AdamW 1e-3 at batch 96, a cosine over 400 epochs, 10 of them warm-up (arXiv 2212.13805, section
4); gradients clipped to 1.
"""

_base_ = []
from mmlandslide.recipes import adamw, cosine

optim_wrapper = adamw(lr=1e-3, betas=(0.9, 0.95), clip=1.0)
train_cfg, param_scheduler = cosine(epochs=400, warmup=10)
auto_scale_lr = dict(enable=False, base_batch_size=96)
