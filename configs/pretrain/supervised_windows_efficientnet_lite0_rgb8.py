"""EfficientNet-Lite0 on windows of RGB tiles (landslide / none), 100 epochs, from scratch.

Not yet measured.
"""

_base_ = './supervised_windows_mobilenet_v2_rgb8.py'
model = dict(
    backbone=dict(_delete_=True, type='mmlandslide.EfficientNetLite', arch='lite0', bands='rgb8')
)
