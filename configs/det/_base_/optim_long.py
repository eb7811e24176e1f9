"""AdamW 6e-4 at batch 8, a cosine over 24 epochs, and the moving average of the weights at test."""

_base_ = './optim_small.py'
from mmlandslide.recipes import cosine

train_cfg, param_scheduler = cosine(epochs=24, warmup=1, val_interval=3)
