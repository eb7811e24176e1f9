"""Landslide4Sense as 8-bit RGB with VOC boxes, seen at its own 224 px.

Trained on `train`, measured on `valid`.
"""

_base_ = './data_l4s.py'
_tiles = dict(
    _delete_=True,
    type='mmlandslide.VOCTileDataset',
    data_root='data/l4s_rgb',
    name='landslide4sense',
)
_pipeline = [dict(type='mmlandslide.PackDetection')]
_augmented = [
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain'),
    *_pipeline,
]
train_dataloader = dict(dataset=dict(**_tiles, folder='train', pipeline=_augmented))
val_dataloader = dict(dataset=dict(**_tiles, folder='valid', pipeline=_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(native_scale=128 / 224)
test_evaluator = dict(native_scale=128 / 224)
del _tiles, _pipeline, _augmented
