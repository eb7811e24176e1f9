"""Landslide4Sense, one label a tile (any landslide pixel?), 14 bands, 128 px resized to 256 px as
the detector sees them.

Trained on `train`, measured on `validation`, tested on `test`. No zoom: a window of a tile need not
hold its landslide.
"""

_pipeline = [dict(type='mmlandslide.ResizeTile', size_px=256), dict(type='mmlandslide.PackTile')]
_dataset = dict(
    type='mmlandslide.Landslide4SenseClsDataset', data_root='data/landslide4sense', bands='all'
)
_augmented = [
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain'),
    *_pipeline,
]
_loader = dict(
    batch_size=64, num_workers=2, persistent_workers=True, collate_fn=dict(type='default_collate')
)
_in_order = dict(type='mmlandslide.TileSampler', shuffle=False, round_up=False)
train_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    dataset=dict(**_dataset, split='train', pipeline=_augmented),
)
val_dataloader = dict(
    **_loader,
    sampler=_in_order,
    dataset=dict(**_dataset, split='validation', pipeline=_pipeline, test_mode=True),
)
test_dataloader = dict(
    **_loader,
    sampler=_in_order,
    dataset=dict(**_dataset, split='test', pipeline=_pipeline, test_mode=True),
)
val_evaluator = dict(type='mmlandslide.TileMetric')
test_evaluator = val_evaluator
del _pipeline, _dataset, _augmented, _loader, _in_order
