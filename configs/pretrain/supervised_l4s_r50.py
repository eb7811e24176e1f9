"""ResNet-50, binary tile classification (landslide / none) on Landslide4Sense, 14 bands, 100
epochs, from scratch: not yet measured.
"""

_base_ = './supervised_l4s_r18.py'
model = dict(backbone=dict(depth=50), head=dict(in_channels=2048))
