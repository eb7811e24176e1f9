"""SparK of ResNet-18, 14 bands, 60 % of the squares of 32 px masked (arXiv 2301.03580)."""

model = dict(
    type='mmlandslide.SparK',
    data_preprocessor=dict(type='mmlandslide.TilePreprocessor', bands='all', clip_std=5.0),
    backbone=dict(type='mmlandslide.ResNet', depth=18, bands='all', out_indices=(0, 1, 2, 3)),
    masked_ratio=0.6,
    norm_target=True,
)
