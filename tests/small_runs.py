"""Trainings of a small Swin-MAE on six tiles, and tests of a stub, in seconds."""

import json

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from safetensors.torch import save_file

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.recipes import adamw, cosine

ARCH = {'embed_dims': 12, 'depths': [1, 1, 1, 1], 'num_heads': [1, 2, 4, 8]}
TRAIN = [f'landslide4sense:train/{number}' for number in range(1, 7)]


def dataset(data_root, split='train'):
    pipeline = [{'type': 'mmlandslide.RandomFlipRotate'}, {'type': 'mmlandslide.PackTile'}]
    kind = 'mmlandslide.Landslide4SenseUnlabelledDataset'
    return {'type': kind, 'data_root': str(data_root), 'split': split, 'pipeline': pipeline}


def loader(data, batch_size=3, shuffle=True):
    sampler = {'type': 'mmlandslide.TileSampler', 'shuffle': shuffle}
    return {'dataset': data, 'batch_size': batch_size, 'num_workers': 0, 'sampler': sampler}


def config(data_root, work_dir, epochs=3, **changes):
    """Return a Swin-MAE training of two steps an epoch, with drop path, on six tiles of 32 px."""
    train_cfg, param_scheduler = cosine(epochs, warmup=int(epochs > 1))
    backbone = {
        'type': 'mmlandslide.SwinTransformer',
        'arch': ARCH,
        'bands': 'all',
        'out_indices': (3,),
        'drop_path_rate': 0.3,
    }
    values = {
        'model': {
            'type': 'mmlandslide.SwinMAE',
            'backbone': backbone,
            'data_preprocessor': {'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'},
            'masked_ratio': 0.5,
        },
        'train_dataloader': {
            **loader(dataset(data_root)),
            'collate_fn': {'type': 'default_collate'},
        },
        'train_cfg': train_cfg,
        'param_scheduler': param_scheduler,
        'optim_wrapper': adamw(1e-3, clip=1.0),
        'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        'custom_hooks': [{'type': 'mmlandslide.StepSeedHook'}],
        'visualizer': {
            'type': 'Visualizer',
            'vis_backends': [{'type': 'mmlandslide.CSVVisBackend'}],
        },
        'randomness': {'seed': 0},
        'default_scope': 'mmpretrain',
        'work_dir': str(work_dir),
        'experiment_name': str(work_dir),
    }
    return Config({**values, **changes})


def train(*args, **changes):
    runner = LandslideRunner.from_cfg(config(*args, **changes))
    runner.train()
    return runner


def begun(trained, work_dir, change=None):
    """Return a work dir whose training was killed after its first epoch.

    `change` edits the checkpoint.
    """
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    if change:
        change(checkpoint)
    torch.save(checkpoint, work_dir / 'epoch_1.pth')
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    return work_dir


class Stub(BaseModel):
    """A model with a lineage, one parameter and no opinion."""

    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Linear(1, 1)
        self.backbone.lineage, self.backbone.bands = {}, ('B2',)

    def forward(self, inputs, data_samples, mode='tensor'):
        return data_samples


class Count(BaseMetric):
    """Counts tiles, and keeps what the runner hands to metrics."""

    def prepare_test(self, dataset, record):
        Count.prepared = (dataset, record)

    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {'tiles': len(results)}


def evaluate(data, tmp_path, own, name='a.pth', **options):
    """Test a stub whose checkpoint states `own` of itself; return the metrics."""
    if name.endswith('.safetensors'):
        save_file(Stub().state_dict(), tmp_path / name, {'mmlandslide': json.dumps(own)})
    else:
        torch.save(
            {'state_dict': Stub().state_dict(), 'meta': {'mmlandslide': own}}, tmp_path / name
        )
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    runner = LandslideRunner(
        model=Stub(),
        work_dir=str(tmp_path / 'run'),
        test_dataloader={
            **loader(data),
            'sampler': sampler,
            'collate_fn': {'type': 'pseudo_collate'},
        },
        test_cfg={},
        test_evaluator=[Count()],
        load_from=str(tmp_path / name),
        default_scope='mmlandslide',
        experiment_name=str(tmp_path),
        cfg=Config(options),
    )
    return runner.test()
