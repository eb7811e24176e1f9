"""What every classifier of tiles runs with.

As any pre-training does, and validation, with the best AUROC kept.
"""

_base_ = './runtime.py'
default_hooks = dict(checkpoint=dict(save_best='AUROC', rule='greater'))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
allow_overlap = False
