"""Landslide4Sense training tiles as 8-bit RGB, 224 px, without their boxes.

Sees folder `train` only.
"""

_base_ = './data_l4s.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmlandslide.VOCTileDataset',
        data_root='data/l4s_rgb',
        name='landslide4sense',
        folder='train',
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
