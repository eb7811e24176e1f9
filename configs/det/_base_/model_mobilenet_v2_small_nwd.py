"""The small detector, whose anchors are assigned by the normalised Wasserstein distance.

arXiv 2110.13389, thresholds as of the IoU.
"""

_base_ = './model_mobilenet_v2_small.py'
model = dict(
    train_cfg=dict(
        rpn=dict(assigner=dict(iou_calculator=dict(type='mmlandslide.NormalizedWasserstein')))
    )
)
