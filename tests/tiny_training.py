"""A linear model's training of milliseconds, through runner, loops and hooks.

`python -m torch.distributed.launch --nproc_per_node=2 tests/tiny_training.py OUT` trains in
OUT/whole, and again in OUT/killed from the third of its six checkpoints, which lies within an
epoch.
"""

import shutil
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch.utils.data import Dataset

from mmlandslide import rng
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.rng import SampleIndex

EPOCHS, STEPS = 3, 4  # of two tiles of eight


class Tiles(Dataset):
    """Eight tiles of three numbers, drawn anew each epoch."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return 8

    def __getitem__(self, index):
        self.read.append(index)
        index = index if isinstance(index, SampleIndex) else SampleIndex(0, 0, index)
        seed, epoch, position = index.seed, index.epoch, int(index)
        values = rng.generator(seed, epoch, position).normal(size=3)
        return {'inputs': torch.tensor(values, dtype=torch.float32)}


class Model(BaseModel):
    """Learns the sum of its inputs, through drop-out."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        torch.nn.init.ones_(self.layer.weight)
        torch.nn.init.zeros_(self.layer.bias)

    def forward(self, inputs, mode='tensor'):
        found = self.layer(torch.nn.functional.dropout(inputs, 0.3, self.training))
        return (
            {'loss': (found - inputs.sum(1, keepdim=True)).square().mean()}
            if mode == 'loss'
            else list(found)
        )


class Score(BaseMetric):
    """The scores that `SCORES` holds, one a validation in turn; else what the model finds."""

    scores = None

    def process(self, data_batch, data_samples):
        self.results.extend(each.detach() for each in data_samples)

    def compute_metrics(self, results):
        score = float(torch.stack(results).sum()) if self.scores is None else self.scores.pop(0)
        return score if isinstance(score, dict) else {'AP50': score}


class Watch(Hook):
    """Notes (epoch, iteration, batch) of each step, each validation, and the tiles read."""

    def __init__(self):
        self.steps, self.validations, self.read = [], [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.steps.append((runner.epoch, runner.iter, batch_idx))

    def after_val(self, runner):
        self.validations.append((runner.epoch, runner.iter))

    def after_train(self, runner):
        self.read = runner.train_dataloader.dataset.read


def loader(batch_size=2, num_workers=0, sampler='mmlandslide.TileSampler', **options):
    sampler = {'type': sampler, 'shuffle': True}
    batches = {
        'batch_size': batch_size,
        'num_workers': num_workers,
        'collate_fn': {'type': 'default_collate'},
    }
    return {'dataset': Tiles(), 'sampler': sampler, **batches, **options}


def runner(work_dir, train_cfg=None, checkpoint=None, scores=None, **changes):
    """Return a runner of three epochs of four steps with drop-out, validated each epoch."""
    metric = Score()
    metric.scores = scores
    train_cfg = train_cfg or {'type': 'EpochBasedTrainLoop', 'max_epochs': EPOCHS}
    schedule = {
        'type': 'CosineAnnealingLR',
        'T_max': EPOCHS,
        'begin': 0,
        'end': EPOCHS,
        'convert_to_iter_based': True,
    }
    values = {
        'train_dataloader': loader(),
        'val_dataloader': {**loader(), 'sampler': {'type': 'DefaultSampler', 'shuffle': False}},
        'train_cfg': train_cfg,
        'val_cfg': {},
        'val_evaluator': [metric],
        'optim_wrapper': {
            'optimizer': {'type': 'AdamW', 'lr': 0.1},
            'clip_grad': {'max_norm': 1.0},
        },
        'param_scheduler': [schedule] if 'max_epochs' in train_cfg else [],
        'default_hooks': {
            'checkpoint': {'type': 'mmlandslide.CheckpointHook', **(checkpoint or {'interval': 1})}
        },
        'custom_hooks': [{'type': 'mmlandslide.StepSeedHook'}],
        'randomness': {'seed': 0},
        'default_scope': 'mmengine',
        'experiment_name': f'{work_dir}_{changes.get("resume", False)}',
    }
    values['custom_hooks'] += changes.pop('hooks', [])
    return LandslideRunner(
        model=Model(), work_dir=str(work_dir), cfg=Config({}), **{**values, **changes}
    )


def train(work_dir, **options):
    """Train; return what the watch has seen."""
    watch = Watch()
    options['hooks'] = [*options.get('hooks', []), watch]
    runner(work_dir, **options).train()
    return watch


def killed(whole, work_dir, name, *others):
    """Make a work dir as a kill leaves it that came after a checkpoint was saved."""
    work_dir.mkdir(parents=True)
    for each in (name, *others):
        shutil.copy(whole / each, work_dir / each)
    (work_dir / 'last_checkpoint').write_text(name)
    return work_dir


def state(work_dir, name):
    """Return all that a checkpoint holds but times and names, as lists and plain values."""
    checkpoint = torch.load(work_dir / name, weights_only=True)
    hub = checkpoint['message_hub']
    logged = {
        key: value['log_history']
        for key, value in hub['log_scalars'].items()
        if not key.endswith('time')
    }
    best = {key: hub['runtime_info'].get(key) for key in ('best_score', 'keep_ckpt_ids')}
    kept = {
        key: checkpoint.get(key)
        for key in ('state_dict', 'optimizer', 'param_schedulers', 'ema_state_dict', 'accumulated')
    }
    return listed(
        {**kept, 'logged': logged, 'best': best, 'own': checkpoint['meta']['mmlandslide']}
    )


def listed(value):
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, list | tuple) else value


def two_processes(out):
    """Train, and train again from a checkpoint within an epoch."""
    options = {'launcher': 'pytorch', 'checkpoint': {'by_epoch': False, 'interval': 1}}
    train(out / 'whole', **options)
    barrier()
    if is_main_process():
        killed(out / 'whole', out / 'killed', 'iter_3.pth')
    barrier()
    train(out / 'killed', resume=True, **options)


if __name__ == '__main__':
    two_processes(Path(sys.argv[-1]))  # the launcher puts an option of its own first
