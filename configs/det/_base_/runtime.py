"""What every detector runs with.

As a pre-training does, and validation, with the best AP50 kept.
"""

_base_ = '../../pretrain/_base_/runtime.py'
default_scope = 'mmdet'
default_hooks = dict(
    checkpoint=dict(save_best='AP50', rule='greater'),
    visualization=dict(type='mmlandslide.DetectionPanelsHook'),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='mmlandslide.TTATestLoop', tta='none')
allow_overlap = False
