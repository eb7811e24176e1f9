"""Faster R-CNN MobileNetV2, narrow, NWD (arXiv 2110.13389), on augmented RGB tiles, 24 epochs.

Anchors are assigned by the normalised Wasserstein distance, thresholds as of the IoU.
Backbone pre-trained on ImageNet; sized for a CPU: not yet measured.
"""

_base_ = './faster_rcnn_mobilenet_v2_small_rgb8_augmented.py'
model = dict(
    train_cfg=dict(
        rpn=dict(assigner=dict(iou_calculator=dict(type='mmlandslide.NormalizedWasserstein')))
    )
)
