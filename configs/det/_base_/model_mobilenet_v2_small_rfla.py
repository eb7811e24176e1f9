"""The small detector with one prior a position, as large as its effective receptive field.

RFLA, arXiv 2208.08738. The fields are half the theoretical ones of MobileNetV2 at its four taps:
19, 59, 267 and 491 px, summed over kernels and strides. Without P6: the largest sees all of a tile.
"""

_base_ = './model_mobilenet_v2_small.py'
model = dict(
    neck=dict(num_outs=4),
    rpn_head=dict(
        anchor_generator=dict(
            _delete_=True,
            type='AnchorGenerator',
            base_sizes=[10, 30, 134, 246],
            scales=[1.0],
            ratios=[1.0],
            strides=[4, 8, 16, 32],
        )
    ),
    train_cfg=dict(
        rpn=dict(assigner=dict(_delete_=True, type='mmlandslide.ReceptiveFieldAssigner'))
    ),
)
