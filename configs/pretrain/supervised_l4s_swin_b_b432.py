"""Swin-B, binary tile classification (landslide / none) on RGB Landslide4Sense, 200 epochs, from
scratch.

Not yet measured.
"""

_base_ = './supervised_l4s_swin_t_b432.py'
model = dict(backbone=dict(arch='base', drop_path_rate=0.5), head=dict(in_channels=1024))
