"""A classifier of tiles (any landslide?) on ResNet-18, 14 bands.

The mean of the last map, one linear layer, classes balanced. 58.7 % of the training tiles hold a
landslide.
"""

_base_ = []
from mmlandslide.recipes import balanced

model = dict(
    type='mmlandslide.ImageClassifier',
    data_preprocessor=dict(type='mmlandslide.TilePreprocessor', bands='all', clip_std=5.0),
    backbone=dict(type='mmlandslide.ResNet', depth=18, bands='all'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=512, loss=balanced(0.587)),
)
