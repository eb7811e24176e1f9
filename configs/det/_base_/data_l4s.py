"""Landslide4Sense, 14 bands, 128 px tiles resized to 256 px; splits train, validation, test.

Negatives in.
"""

_pipeline = [
    dict(type='mmlandslide.ResizeTile', size_px=256),
    dict(type='mmlandslide.PackDetection'),
]
_dataset = dict(
    type='mmlandslide.Landslide4SenseDetDataset', data_root='data/landslide4sense', bands='all'
)
_augmented = [
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain'),
    *_pipeline,
]
_loader = dict(batch_size=8, num_workers=2, persistent_workers=True)
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
val_evaluator = dict(type='mmlandslide.LandslideMetric', plots=False)
test_evaluator = dict(type='mmlandslide.LandslideMetric')
del _pipeline, _dataset, _augmented, _loader, _in_order
