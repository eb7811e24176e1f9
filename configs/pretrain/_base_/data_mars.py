"""Multimodal Martian landslides, 7 bands, 128 px, without their masks; sees folder `train` only."""

_base_ = './data_l4s.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmlandslide.MaskFolderDataset',
        name='mars',
        data_root='data/mars_mmls/train',
        split='train',
        source_bands='mars',
        masks=None,
        nodata=dict(mars_thermal=0.0),
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
