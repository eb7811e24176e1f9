"""Faster R-CNN MobileNetV2, narrow, KL-loss (arXiv 1809.08545), on augmented RGB tiles, 24 epochs.

A standard deviation for each side of a box, and variance voting.
Backbone pre-trained on ImageNet; sized for a CPU: not yet measured.
"""

_base_ = './faster_rcnn_mobilenet_v2_small_rgb8_augmented.py'
model = dict(
    roi_head=dict(
        bbox_head=dict(
            type='mmlandslide.UncertainBBoxHead',
            reg_class_agnostic=True,
            bbox_coder=dict(_delete_=True, type='mmlandslide.SideBBoxCoder'),
            loss_bbox=dict(_delete_=True, type='mmlandslide.KLLoss'),
        )
    )
)
