"""Red, green and blue of the same tiles.

Those of `data/l4s_rgb` all hold a landslide, and so teach no difference.
"""

_base_ = './data_l4s_cls.py'
_rgb = dict(dataset=dict(bands='rgb'))
train_dataloader = _rgb
val_dataloader = _rgb
test_dataloader = _rgb
del _rgb
