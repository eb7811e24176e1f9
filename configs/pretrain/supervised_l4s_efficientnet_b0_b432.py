"""EfficientNet-B0, binary tile classification (landslide / none) on RGB Landslide4Sense, 100
epochs, from scratch: not yet measured.
"""

_base_ = './supervised_l4s_r18_b432.py'
model = dict(
    backbone=dict(
        _delete_=True, type='mmlandslide.EfficientNet', arch='b0', bands='rgb', drop_path_rate=0.2
    ),
    head=dict(in_channels=1280),
)
