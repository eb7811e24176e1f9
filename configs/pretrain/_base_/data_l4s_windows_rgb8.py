"""Windows of Landslide4Sense tiles as 8-bit RGB, one label a window (any landslide box?), 128 px.

Every RGB tile holds a landslide; windows of a third to two thirds of its side hold one half of the
time. Trained on folder `train`, measured and tested on windows of `valid`, the same ones each time.
"""

_windows = [
    dict(type='mmlandslide.RandomScaleCrop', scale=(1.5, 3.0)),
    dict(type='mmlandslide.LabelFromBoxes'),
    dict(type='mmlandslide.ResizeTile', size_px=128),
    dict(type='mmlandslide.PackTile'),
]
_dataset = dict(type='mmlandslide.VOCTileDataset', data_root='data/l4s_rgb', name='landslide4sense')
_loader = dict(
    batch_size=64, num_workers=2, persistent_workers=True, collate_fn=dict(type='default_collate')
)
train_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    dataset=dict(
        **_dataset,
        folder='train',
        pipeline=[
            dict(type='mmlandslide.RandomFlipRotate'),
            dict(type='mmlandslide.RandomGain', gain=0.2, offset=0.1),
            *_windows,
        ],
    ),
)
val_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=False, round_up=False),
    dataset=dict(**_dataset, folder='valid', pipeline=_windows, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmlandslide.TileMetric')
test_evaluator = val_evaluator
del _windows, _dataset, _loader
