"""A study that looks as if it had been run, with checkpoints of real, tiny networks in its work dirs."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import tiny_detector
import torch

from mmlandslide.evaluation.results import TileResult
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.files import write_json
from mmlandslide.study.plan import plan
from mmlandslide.study.specification import read

STUDY = """
name: Two strategies
seeds: [0, 1]
work_dir: {folder}/work
protocols:
  study: {{train_ids: {folder}/train.txt, score_ids: {folder}/score.txt}}
detect: {{epochs: 3, batch_size: 2}}
backbones:
  R18:
    config: {folder}/faster_rcnn_r18.py
    strategies:
      scratch: {{}}
      MAE: {{pretrain: [{{config: {folder}/swin_mae_tiny.py, epochs: 2, batch_size: 4}}]}}
"""
TRAINED, PRETRAINED = 'landslide4sense:train/1', 'landslide4sense:train/2'


def write(folder, kinds=('pretrain', 'detect', 'test')):
    """Write a study and what its stages of some kinds leave; return its plan."""
    for name, text in (('train', 'train/1\ntrain/2\n'), ('score', 'train/3\n')):
        (folder / f'{name}.txt').write_text(text)
    for name in ('faster_rcnn_r18.py', 'swin_mae_tiny.py'):
        (folder / name).touch()
    (folder / 'study.yaml').write_text(STUDY.format(folder=folder))
    planned = plan(read(folder / 'study.yaml'))
    for stage in planned.stages.values():
        if stage.kind in kinds:
            stage.work_dir.mkdir(parents=True)
            leave = leave_scores if stage.kind == 'test' else leave_checkpoint
            leave(stage)
    return planned


def leave_checkpoint(stage, state=None):
    """Save what our runner does: weights, a record, and what only a training needs.

    Return the path.
    """
    state = detector_state() if state is None else state
    own = {
        'version': '1',
        'config': f'{stage.kind}.py',
        'bands': list(tiny_detector.BANDS),
        'progress': {'batch': 3},
    }
    if stage.kind == 'detect':
        before = {
            'tile_ids': [PRETRAINED],
            'checkpoint': 'elsewhere/work/mae_1/epoch_2.pth',
            'config': 'mae.py',
        }
        own |= {'tile_ids': [TRAINED], 'lineage': before}
    else:
        state = {name: value for name, value in state.items() if name.startswith('backbone.')} | {
            'head.fc.bias': torch.ones(2)
        }
        own |= {'tile_ids': [PRETRAINED], 'lineage': {}}
    meta = {'mmlandslide': own, 'dataset_meta': {'classes': ('landslide',)}, 'epoch': 3}
    path = stage.work_dir / stage.leaves[0]
    torch.save({'state_dict': state, 'meta': meta, 'optimizer': {'state': torch.ones(1000)}}, path)
    return path


@cache
def detector_state():
    """Return the weights of `tiny_detector`."""
    with tempfile.TemporaryDirectory() as folder:
        return torch.load(tiny_detector.write(Path(folder))[1], weights_only=True)['state_dict']


def leave_scores(stage):
    """Write what a test of one tile leaves.

    Of two true boxes one is found, AP = AP50 = 51/101, the recall levels up to 0.5.
    """
    boxes, none = np.array([[0, 0, 40, 40], [60, 60, 90, 90]], np.float32), np.zeros(1, np.int64)
    tile = TileResult(
        'train/3', boxes[:1], np.ones(1, np.float32), none, boxes, np.zeros(2, np.int64), (128, 128)
    )
    write_json(stage.work_dir / 'metrics.json', evaluate([tile]).metrics)
    names = ('boxes_xyxy', 'scores', 'labels', 'true_boxes_xyxy', 'true_labels')
    write_json(
        stage.work_dir / 'predictions.json',
        [{'img_id': 'train/3', **{name: vars(tile)[name] for name in names}}],
    )
