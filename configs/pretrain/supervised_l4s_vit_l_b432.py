"""ViT-Large, binary tile classification (landslide / none) on RGB Landslide4Sense, 200 epochs, from
scratch.

Not yet measured.
"""

_base_ = './supervised_l4s_vit_t_b432.py'
model = dict(backbone=dict(arch='large', drop_path_rate=0.3), head=dict(in_channels=1024))
