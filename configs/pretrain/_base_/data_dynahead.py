"""Dynahead-YOLO training tiles, 8-bit RGB of several sizes, crops of 256 px without their boxes.

Sees folder `train` only.
"""

_base_ = './data_l4s.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmlandslide.VOCTileDataset',
        data_root='data/dynahead_rgb',
        name='dynahead',
        folder='train',
        pipeline=[
            dict(type='mmlandslide.RandomFlipRotate'),
            dict(type='mmlandslide.RandomResizedCrop', size_px=256, scale=(0.25, 1.0)),
            dict(type='mmlandslide.PackTile'),
        ],
    )
)
