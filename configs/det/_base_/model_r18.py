"""Faster R-CNN, ResNet-18 and a feature pyramid over stages 1-4, sized for tiles that hold 4 boxes
and not for COCO.

Anchors: base scale 3 and two octave scales on strides 4-64, five ratios; `mmlandslide stats
--config` measures their recall. Head: 128 RoIs and 256 wide. A training step takes 1.05 s, with
MMDetection's 512 and 1024 1.92 s (tools/benchmark/step_time.py configs/det/faster_rcnn_r18.py
--batch 4 --steps 3, 256 px, 14 bands, 2 CPU cores, 2026-11-22).

No stage is frozen and batch norms learn, here and in the other convolutional backbones: ImageNet's
statistics are those of photographs, a norm that does not learn would stop a training from scratch,
and a batch of 8 tiles still gives 512 values a channel at stride 32. With one or two tiles a GPU,
`--cfg-options model.backbone.norm_eval=True`.
"""

_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
model = dict(
    data_preprocessor=dict(
        _delete_=True,
        type='mmlandslide.TilePreprocessor',
        bands='all',
        clip_std=5.0,
        pad_size_divisor=32,
    ),
    backbone=dict(
        _delete_=True, type='mmlandslide.ResNet', depth=18, bands='all', out_indices=(0, 1, 2, 3)
    ),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128),
    rpn_head=dict(
        type='mmlandslide.RPNHead',
        in_channels=128,
        feat_channels=128,
        anchor_generator=dict(
            _delete_=True,
            type='AnchorGenerator',
            octave_base_scale=3,
            scales_per_octave=2,
            ratios=[0.25, 0.5, 1.0, 2.0, 4.0],
            strides=[4, 8, 16, 32, 64],
        ),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            type='mmlandslide.SingleRoIExtractor', out_channels=128, finest_scale=28
        ),
        bbox_head=dict(in_channels=128, fc_out_channels=256, num_classes=1),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(type='mmlandslide.KeyedRandomSampler', num=128)),
        rpn_proposal=dict(nms_pre=1000, max_per_img=500),
        rcnn=dict(sampler=dict(type='mmlandslide.KeyedRandomSampler', num=128)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=500), rcnn=dict(score_thr=0.001, max_per_img=200)
    ),
)
