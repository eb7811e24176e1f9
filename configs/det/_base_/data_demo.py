"""Simulated tiles where `make demo` writes them, seen at 192 px in batches of four.

Otherwise as `data_l4s.py`.
"""

_base_ = './data_l4s.py'
_pipeline = [
    dict(type='mmlandslide.ResizeTile', size_px=192),
    dict(type='mmlandslide.PackDetection'),
]
_augmented = [
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain'),
    *_pipeline,
]
train_dataloader = dict(
    batch_size=4, dataset=dict(data_root='demo/landslide4sense', pipeline=_augmented)
)
val_dataloader = dict(dataset=dict(data_root='demo/landslide4sense', pipeline=_pipeline))
test_dataloader = dict(dataset=dict(data_root='demo/landslide4sense', pipeline=_pipeline))
del _pipeline, _augmented
