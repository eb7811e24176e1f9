"""Multimodal Martian landslides, 7 bands, 128 px tiles with masks resized to 256 px.

Trained on `train`, measured on `validation`.
"""

_base_ = './data_l4s.py'
_tiles = dict(
    _delete_=True,
    type='mmlandslide.MaskFolderDataset',
    name='mars',
    source_bands='mars',
    nodata=dict(mars_thermal=0.0),
)
_root, _held_out = (
    'data/mars_mmls',
    dict(split='validation', pipeline={{_base_.val_dataloader.dataset.pipeline}}, test_mode=True),
)
train_dataloader = dict(
    dataset=dict(
        **_tiles,
        data_root=f'{_root}/train',
        split='train',
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(**_tiles, data_root=f'{_root}/validation', **_held_out))
test_dataloader = val_dataloader
del _tiles, _root, _held_out
