"""Landslide4Sense as 8-bit RGB with VOC boxes, seen at its own 224 px; trained on `train`, measured on `valid`."""

_dataset = dict(type='mmlandslide.VOCTileDataset', data_root='data/l4s_rgb', name='landslide4sense')
_pipeline = [dict(type='mmlandslide.PackDetection')]
_augmented = [dict(type='mmlandslide.RandomFlipRotate'), dict(type='mmlandslide.RandomGain'), *_pipeline]
_loader = dict(batch_size=8, num_workers=2, persistent_workers=True)
_in_order = dict(type='mmlandslide.TileSampler', shuffle=False, round_up=False)
train_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    dataset=dict(**_dataset, folder='train', pipeline=_augmented),
)
val_dataloader = dict(**_loader, sampler=_in_order, dataset=dict(**_dataset, folder='valid', pipeline=_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmlandslide.LandslideMetric', native_scale=128 / 224, plots=False)
test_evaluator = dict(type='mmlandslide.LandslideMetric', native_scale=128 / 224)
del _dataset, _pipeline, _augmented, _loader, _in_order
