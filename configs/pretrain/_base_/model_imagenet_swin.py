"""The classifier of `model_supervised_swin.py` on ImageNet, with mixup .8 and CutMix 1 (arXiv
2103.14030, section A2.1).
"""

_base_ = './model_supervised_swin.py'
model = dict(
    data_preprocessor=dict(bands='rgb8', clip_std=None),
    backbone=dict(bands='rgb8'),
    head=dict(
        num_classes=1000, loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1)
    ),
    mixing=dict(mixup=0.8, cutmix=1.0),
)
