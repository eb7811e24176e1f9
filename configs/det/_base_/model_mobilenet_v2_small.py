"""The detector on MobileNetV2 with a pyramid and proposals of 64 channels, 64 RoIs a tile.

On a small backbone the stride-4 level of the pyramid and of the proposals is most of a step.
"""

_base_ = './model_mobilenet_v2.py'
model = dict(
    neck=dict(out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(bbox_roi_extractor=dict(out_channels=64), bbox_head=dict(in_channels=64)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=200), rcnn=dict(sampler=dict(num=64))
    ),
)
