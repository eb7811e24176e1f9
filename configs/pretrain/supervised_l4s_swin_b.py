"""Swin-B, binary tile classification (landslide / none) on Landslide4Sense, 14 bands, 200 epochs,
from scratch: not yet measured.
"""

_base_ = './supervised_l4s_swin_t.py'
model = dict(backbone=dict(arch='base', drop_path_rate=0.5), head=dict(in_channels=1024))
