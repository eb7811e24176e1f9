"""What every pre-training runs with."""

_base_ = []
from mmlandslide.recipes import loggers

default_scope = 'mmpretrain'
runner_type = 'mmlandslide.LandslideRunner'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmlandslide.CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    step_seed=dict(type='mmlandslide.StepSeedHook'),
)
visualizer = dict(
    type='mmlandslide.TileVisualizer', vis_backends=loggers('local', 'csv', 'tensorboard')
)
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
protocol = None
