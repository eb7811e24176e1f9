"""A small Swin (48 channels, 2 blocks a stage) under a narrower pyramid and head."""

_base_ = './model_swin.py'
model = dict(
    backbone=dict(arch='nano', drop_path_rate=0.0),
    neck=dict(in_channels=[48, 96, 192, 384], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=128),
    ),
)
