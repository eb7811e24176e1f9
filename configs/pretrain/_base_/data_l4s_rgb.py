"""Landslide4Sense training tiles as 8-bit RGB, 224 px, without their boxes; sees folder `train` only."""

train_dataloader = dict(
    batch_size=96,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmlandslide.VOCTileDataset',
        data_root='data/l4s_rgb',
        name='landslide4sense',
        folder='train',
        pipeline=[
            dict(type='mmlandslide.RandomFlipRotate'),
            dict(type='mmlandslide.RandomScaleCrop', scale=(1.0, 2.0)),
            dict(type='mmlandslide.PackTile'),
        ],
    ),
)
