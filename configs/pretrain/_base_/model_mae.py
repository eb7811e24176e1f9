"""MAE of ViT-B/16, 14 bands, 75 % masked (arXiv 2111.06377), on 128 px tiles resized to 256 px.

A stride of 8 gives 256 tokens, about the 196 of the paper; 16 px of a 128 px tile would give 64 and
hide most landslides (median 11 px) in one token. The 16 px patches, and not patches of 8 px, keep
one stem for the detector, which sees tiles at 256 px, and for the published /16 weights. What is
predicted are the tile's own 8 x 8 pixels.
"""

model = dict(
    type='mmlandslide.MAE',
    data_preprocessor=dict(type='mmlandslide.TilePreprocessor', bands='all', clip_std=5.0),
    backbone=dict(
        type='mmlandslide.VisionTransformer',
        arch='base',
        bands='all',
        stride=8,
        img_size=256,
        fixed_positions=True,
        out_type='featmap',
    ),
    masked_ratio=0.75,
    norm_target=True,
)
