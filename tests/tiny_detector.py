"""A detector that takes milliseconds per window, its weights random but equal in every run."""

from pathlib import Path

import numpy as np
import torch
from factories import randomised
from mmengine.config import Config

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


def image(height=64, width=64, seed=0):
    """Return (3, H, W) float32 about the bands' means, none at 0 or below."""
    drawn = np.random.default_rng(seed).normal(1.2, 0.6, (3, height, width))
    return np.clip(drawn, 0.05, None).astype(np.float32)  # neither no data nor negative slope
