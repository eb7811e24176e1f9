"""The same detector on SatMAE's ViT-B over groups of bands, the terrain a fourth.

B1, B9 and B10 are in none and are not looked at. Tokens cover 16 px of a tile that is seen at 256
px, so the encoder sees its own 128 px, 10 m a pixel as in its pre-training.
"""

_base_ = './model_r18.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.SatMAEViT',
        arch='base',
        bands='all',
        groups=[
            ['B2', 'B3', 'B4', 'B8'],
            ['B5', 'B6', 'B7', 'B8A'],
            ['B11', 'B12'],
            ['slope', 'DEM'],
        ],
        substitutes=dict(B8A='B8'),
        fuse='average',
        stride=16,
        drop_path_rate=0.1,
    ),
    neck=dict(
        _delete_=True,
        type='mmlandslide.SimpleFPN',
        in_channels=768,
        out_channels=128,
        in_stride=16,
        num_outs=5,
    ),
)
