"""The small detector with a standard deviation for each side of a box, and variance voting.

KL-loss, arXiv 1809.08545.
"""

_base_ = './model_mobilenet_v2_small.py'
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
