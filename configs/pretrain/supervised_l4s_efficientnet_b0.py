"""EfficientNet-B0, binary tile classification (landslide / none) on Landslide4Sense, 14 bands, 100
epochs, from scratch: not yet measured.
"""

_base_ = './supervised_l4s_r18.py'
model = dict(
    backbone=dict(
        _delete_=True, type='mmlandslide.EfficientNet', arch='b0', bands='all', drop_path_rate=0.2
    ),
    head=dict(in_channels=1280),
)
