"""Landslide4Sense training tiles without their masks, 14 bands, 128 px; sees split `train` only."""

train_dataloader = dict(
    batch_size=96,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmlandslide.Landslide4SenseUnlabelledDataset',
        data_root='data/landslide4sense',
        split='train',
        bands='all',
        pipeline=[
            dict(type='mmlandslide.RandomFlipRotate'),
            dict(type='mmlandslide.RandomScaleCrop', scale=(1.0, 2.0)),
            dict(type='mmlandslide.PackTile'),
        ],
    ),
)
