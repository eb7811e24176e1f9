"""What every masked autoencoder runs with.

Panels of its reconstructions, and its loss beside the variance of the target.
"""

_base_ = './runtime.py'
default_hooks = dict(
    panels=dict(type='mmlandslide.ReconstructionPanelsHook'),
    variance=dict(type='mmlandslide.VarianceHook'),
)
log_processor = dict(
    custom_cfg=[dict(data_src='target_variance', method_name='mean', window_size=10)]
)
