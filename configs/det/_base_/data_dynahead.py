"""Dynahead-YOLO tiles, 8-bit RGB with VOC boxes, 256 to 512 px, brought to 512 px.

Trained on `train`, measured on `valid`.
"""

_base_ = './data_l4s.py'
_tiles = dict(
    _delete_=True, type='mmlandslide.VOCTileDataset', data_root='data/dynahead_rgb', name='dynahead'
)
_pipeline = [
    dict(type='mmlandslide.ResizeTile', size_px=512),
    dict(type='mmlandslide.PackDetection'),
]
_augmented = [
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain'),
    *_pipeline,
]
train_dataloader = dict(dataset=dict(**_tiles, folder='train', pipeline=_augmented))
val_dataloader = dict(dataset=dict(**_tiles, folder='valid', pipeline=_pipeline, test_mode=True))
test_dataloader = val_dataloader
del _tiles, _pipeline, _augmented
