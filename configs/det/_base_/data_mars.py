"""Multimodal Martian landslides, 7 bands, 128 px tiles with masks seen at 256 px; trained on `train`, measured on `validation`."""

_nodata = dict(mars_thermal=0.0)
_dataset = dict(type='mmlandslide.MaskFolderDataset', name='mars', source_bands='mars', nodata=_nodata)
_pipeline = [dict(type='mmlandslide.ResizeTile', size_px=256), dict(type='mmlandslide.PackDetection')]
_augmented = [dict(type='mmlandslide.RandomFlipRotate'), dict(type='mmlandslide.RandomGain'), *_pipeline]
_loader = dict(batch_size=8, num_workers=2, persistent_workers=True)
_in_order = dict(type='mmlandslide.TileSampler', shuffle=False, round_up=False)
_held_out = dict(data_root='data/mars_mmls/validation', split='validation', pipeline=_pipeline, test_mode=True)
train_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    dataset=dict(**_dataset, data_root='data/mars_mmls/train', split='train', pipeline=_augmented),
)
val_dataloader = dict(**_loader, sampler=_in_order, dataset=dict(**_dataset, **_held_out))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmlandslide.LandslideMetric', plots=False)
test_evaluator = dict(type='mmlandslide.LandslideMetric')
del _nodata, _dataset, _pipeline, _augmented, _loader, _in_order, _held_out
