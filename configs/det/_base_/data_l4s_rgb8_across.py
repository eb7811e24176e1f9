"""The augmented RGB tiles, whose frame may first be shifted into the neighbouring tiles."""

_base_ = './data_l4s_rgb8_augmented.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='mmlandslide.RandomShiftAcross'),
            dict(type='mmlandslide.Mosaic', prob=0.5),
            dict(type='mmlandslide.RandomScaleCrop', scale=(0.75, 1.5)),
            dict(type='mmlandslide.RandomFlipRotate'),
            dict(type='mmlandslide.RandomGain', gain=0.2, offset=0.1),
            dict(type='mmlandslide.ResizeTile', size_px=224),
            dict(type='mmlandslide.PackDetection'),
        ]
    )
)
