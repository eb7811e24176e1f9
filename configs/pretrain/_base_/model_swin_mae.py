"""Swin-MAE, 14 bands, window 8, units of 16 px, 75 % masked (arXiv 2212.13805).

The encoder computes visible tokens alone. `encoder='all'` is the paper's own form; what the choice
costs and gives is in docs/pretraining.md.
"""

model = dict(
    type='mmlandslide.SwinMAE',
    data_preprocessor=dict(type='mmlandslide.TilePreprocessor', bands='all', clip_std=5.0),
    backbone=dict(
        type='mmlandslide.SwinTransformer',
        arch='base',
        bands='all',
        window_size=8,
        out_indices=(3,),
        drop_path_rate=0.0,
    ),
    unit_px=16,
    masked_ratio=0.75,
    encoder='visible',
)
