"""AdamW 1.5e-4 at batch 96, otherwise as `optim_mae.py`.

The share of warm-up is MAE's (arXiv 2111.06377, appendix A.1). MAE's own 2.4e-3 at batch 4096 comes
to 5.6e-5 where rates go with the batch, and to 3.7e-4 where they go with its square root.
"""

_base_ = './optim_mae.py'
optim_wrapper = dict(optimizer=dict(lr=1.5e-4))
