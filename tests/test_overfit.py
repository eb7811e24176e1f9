"""Every head can learn: the boxes of eight real tiles, by heart."""

import os
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from one_step import CONFIGS

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.recipes import cosine

TILES = ['train/1', 'train/2', 'train/4', 'train/5', 'train/9', 'train/16', 'train/17', 'train/23']
STEPS = 160  # of all eight tiles
#: Config -> its learning rate.
HEADS = {
    'faster_rcnn_mobilenet_v2_small_nwd_rgb8_augmented': 2e-3,
    'faster_rcnn_mobilenet_v2_small_rfla_rgb8_augmented': 2e-3,
    'faster_rcnn_mobilenet_v2_small_kl_rgb8_augmented': 2e-3,
    'cascade_rcnn_mobilenet_v2_small_rgb8_augmented': 2e-3,
    'rtmdet_mobilenet_v2_rgb8_augmented': 2e-3,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.filterwarnings('ignore'),
    pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles'),
]


def by_heart(name, folder):
    """Return a config that trains and validates on the eight tiles, without augmentation."""
    cfg = Config.fromfile(CONFIGS / 'det' / f'{name}.py')
    (folder / 'tiles.txt').write_text('\n'.join(TILES))
    for key in ('train_dataloader', 'val_dataloader'):
        cfg[key].update(batch_size=8, num_workers=0, persistent_workers=False)
        cfg[key].dataset.update(
            data_root=str(Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb'),
            folder=['train', 'valid'],
            split_file=str(folder / 'tiles.txt'),
        )
    cfg.train_dataloader.dataset.pipeline = cfg.val_dataloader.dataset.pipeline
    cfg.optim_wrapper.optimizer.update(lr=HEADS[name], weight_decay=0.0)
    cfg.train_cfg, cfg.param_scheduler = cosine(STEPS, warmup=10, val_interval=STEPS)
    cfg.default_hooks.checkpoint.update(interval=-1, save_best=None)
    cfg.default_hooks.logger.update(interval=1)
    cfg.custom_hooks = []  # the average of the weights lags behind
    cfg.update(work_dir=str(folder), experiment_name=f'{folder}')
    return cfg


@pytest.mark.parametrize('name', HEADS)
def test_a_head_learns_eight_real_tiles_by_heart(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    with DefaultScope.overwrite_default_scope('mmengine'):
        runner = LandslideRunner.from_cfg(by_heart(name, tmp_path))
        runner.train()
    assert runner.message_hub.get_scalar('val/AP50').current() >= 0.90
