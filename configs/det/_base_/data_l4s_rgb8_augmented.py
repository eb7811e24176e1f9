"""Landslide4Sense as 8-bit RGB, with augmentation for trainings of more than ten epochs.

Windows of four tiles in every second sample, zoom, the eight symmetries of the square, gain. The
size in pixels stands last, so that one option changes it.
"""

_base_ = './data_l4s_rgb8.py'
_pipeline = [
    dict(type='mmlandslide.ResizeTile', size_px=224),
    dict(type='mmlandslide.PackDetection'),
]
_augmented = [
    dict(type='mmlandslide.Mosaic', prob=0.5),
    dict(type='mmlandslide.RandomScaleCrop', scale=(0.75, 1.5)),
    dict(type='mmlandslide.RandomFlipRotate'),
    dict(type='mmlandslide.RandomGain', gain=0.2, offset=0.1),
    *_pipeline,
]
train_dataloader = dict(dataset=dict(pipeline=_augmented))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
del _pipeline, _augmented
