"""Simulated tiles where `make demo` writes them; otherwise as `data_l4s.py`."""

_base_ = './data_l4s.py'
train_dataloader = dict(batch_size=16, dataset=dict(data_root='demo/landslide4sense'))
