"""Faster R-CNN MobileNetV2, narrow pyramid and head, on RGB crops across tile borders, 24 epochs.

A tile's frame may first be shifted into its neighbours.
Backbone pre-trained on ImageNet; sized for a CPU: not yet measured.
"""

_base_ = './faster_rcnn_mobilenet_v2_small_rgb8_augmented.py'
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
