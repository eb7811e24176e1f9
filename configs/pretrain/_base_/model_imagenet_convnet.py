"""The classifier of `model_supervised_convnet.py` on ImageNet.

1000 classes of photographs, labels smoothed by .1.
"""

_base_ = './model_supervised_convnet.py'
model = dict(
    data_preprocessor=dict(bands='rgb8', clip_std=None),
    backbone=dict(bands='rgb8'),
    head=dict(
        num_classes=1000, loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1)
    ),
)
