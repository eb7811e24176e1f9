"""The small detector with three heads in a row, each trained on nearer boxes than the one before.

Cascade R-CNN, arXiv 1712.00726: IoU from .5, .6 and .7 on, and ever finer shifts.
"""

_base_ = './model_mobilenet_v2_small.py'
_stages = [(0.5, 0.1), (0.6, 0.05), (0.7, 0.033)]
_heads = [
    dict(
        type='Shared2FCBBoxHead',
        in_channels=64,
        fc_out_channels=256,
        roi_feat_size=7,
        num_classes=1,
        reg_class_agnostic=True,
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[_std, _std, 2 * _std, 2 * _std],
        ),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
    )
    for _, _std in _stages
]
_rcnn = [
    dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=_iou,
            neg_iou_thr=_iou,
            min_pos_iou=_iou,
            match_low_quality=False,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type='mmlandslide.KeyedRandomSampler',
            num=64,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=True,
        ),
        pos_weight=-1,
        debug=False,
    )
    for _iou, _ in _stages
]
model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=_heads,
    ),
    train_cfg=dict(rcnn=_rcnn),
)
del _stages, _heads, _rcnn
