"""A detector that takes milliseconds per window, its weights random but equal in every run."""

from pathlib import Path

import numpy as np
import torch
from factories import randomised
from mmengine.config import Config

from mmlandslide.recipes import cosine
from mmlandslide.scenes.inference.model_predictor import _built

BANDS = ('B4', 'slope', 'DEM')
CONFIG = Path(__file__).parents[1] / 'configs/det/faster_rcnn_r18.py'
CHANGES = {
    'data_preprocessor.bands': BANDS,
    'backbone.bands': BANDS,
    'backbone.base_channels': 8,
    'neck.in_channels': [8, 16, 32, 64],
    'neck.out_channels': 16,
    'rpn_head.in_channels': 16,
    'rpn_head.feat_channels': 16,
    'roi_head.bbox_roi_extractor.out_channels': 16,
    'roi_head.bbox_head.in_channels': 16,
    'roi_head.bbox_head.fc_out_channels': 16,
}


def write(folder, zoom=2.0, seed=0, **changes):
    """Write a config that shows a pixel at `zoom` and a checkpoint that fits it.

    Return both paths.
    """
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({f'model.{key}': value for key, value in {**CHANGES, **changes}.items()})
    config.test_dataloader.dataset.pipeline[0] = {'type': 'mmlandslide.ResizeTile', 'factor': zoom}
    config.dump(folder / 'tiny.py')
    torch.manual_seed(seed)
    model = _built(config, folder / 'tiny.py')
    model.init_weights()
    randomised(model, seed)
    own = {'bands': list(model.backbone.bands)}
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'mmlandslide': own}}, folder / 'tiny.pth'
    )
    return folder / 'tiny.py', folder / 'tiny.pth'


def write_training(data_root, folder):
    """Write a config that trains and tests such a detector on three bands of a data set.

    Return its path; the checkpoint lies beside it.
    """
    config, _ = write(folder)
    cfg = Config.fromfile(config)
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(data_root), bands=list(BANDS))
        loader.dataset.pipeline = [
            {'type': 'mmlandslide.ResizeTile', 'factor': 2.0},
            {'type': 'mmlandslide.PackDetection'},
        ]
    cfg.train_cfg, cfg.param_scheduler = cosine(2, warmup=1)
    cfg.default_hooks.checkpoint.update(save_best=None)
    cfg.default_hooks.pop('visualization')
    cfg.visualizer = {'type': 'Visualizer', 'vis_backends': []}
    for name in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg.pop(name)
    cfg.dump(folder / 'tiny.py')
    return folder / 'tiny.py'


def image(height=64, width=64, seed=0):
    """Return (3, H, W) float32 about the bands' means, none at 0 or below."""
    drawn = np.random.default_rng(seed).normal(1.2, 0.6, (3, height, width))
    return np.clip(drawn, 0.05, None).astype(np.float32)  # neither no data nor negative slope
