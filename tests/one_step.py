"""One step of any config on a few tiny tiles, and of the weights that it starts from.

`chain` is what `tools/smoke.py` runs for every detector: its pre-training, the detector from that
checkpoint, its test.
"""

import gc
import time
from pathlib import Path

import factories
import torch
from mmengine.config import Config

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.recipes import cosine

CONFIGS = Path(__file__).parent.parent / 'configs'


def write_data(root):
    """Write 64 px tiles, two a split, under every data root that the configs name."""
    for each in ('data', 'demo'):
        factories.write_dataset(
            root / each / 'landslide4sense', {'train': 2, 'validation': 2, 'test': 2}, size_px=64
        )
    factories.write_voc(root / 'data' / 'l4s_rgb', {'train': 2})
    factories.write_voc(root / 'data' / 'l4s_rgb', {'valid': 2}, first=3)
    for split in ('train', 'validation'):
        factories.write_mask_folder(root / 'data' / 'mars_mmls' / split)
    factories.write_image_folder(
        root / 'data' / 'imagenet', {'train': 1, 'val': 1}
    )  # of each of two classes
    return root


def small(path):
    """Return a config for one step of two 64 px tiles in one process; nothing else is changed."""
    cfg = Config.fromfile(path)
    for loader in (value for key, value in cfg.items() if key.endswith('_dataloader')):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            step.update({'size_px': 64} if 'size_px' in step else {})
    cfg.train_cfg, cfg.param_scheduler = cosine(
        epochs=1, val_interval=1 if 'val_cfg' in cfg else None
    )
    cfg.work_dir = f'work_dirs/{path.stem}'
    cfg.experiment_name = f'{Path.cwd()}_{path.stem}'
    return cfg


def before(cfg):
    """Return the configs whose checkpoints a config starts from or learns from."""
    sources = (
        (cfg.model.backbone.get('pretrained') or {}).get('made_by'),
        cfg.model.get('teacher', {}).get('config'),
    )
    return [Path(source) for source in sources if source]


def checkpoint_of(path):
    return Path('work_dirs', path.stem, 'epoch_1.pth')


def train(path):
    """Train one step and keep the weights alone.

    Return the runner, and the seconds that it and all before it took.
    """
    cfg, started = small(path), time.perf_counter()
    for source in before(cfg):
        if not checkpoint_of(source).exists():
            train(source)
            gc.collect()
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg.pop(key, None)
    cfg.train_cfg.pop('val_interval', None)
    cfg.default_hooks.checkpoint.update(save_optimizer=False, save_best=None)
    runner = LandslideRunner.from_cfg(cfg)
    runner.train()
    return runner, time.perf_counter() - started


def test(path):
    """Test a detector from its checkpoint; return what is measured."""
    cfg = small(path)
    cfg.update(load_from=str(checkpoint_of(path)), experiment_name=f'{cfg.experiment_name}_test')
    return LandslideRunner.from_cfg(cfg).test()


def origin(backbone):
    """Return what a backbone has started from, in words."""
    lineage = backbone.lineage
    return lineage.get('config') or Path(lineage['checkpoint']).name if lineage else 'scratch'


def write_published(checkpoint):
    """Write random weights under the keys of a file that would have to be downloaded.

    Return whether it is one of these.
    """
    path = Path(checkpoint)
    if path.parent != Path('data', 'weights'):
        return False
    from foreign import published_files  # open_clip and timm: seconds

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(published_files.state_dict(path.name), path)
    return True


def chain(path):
    """Train and test a detector from what its config names.

    Return a row of `tools/smoke.py`'s table.
    """
    published = write_published(
        (small(path).model.backbone.get('pretrained') or {}).get('checkpoint', '')
    )
    runner, seconds = train(path)
    backbone, loss = runner.model.backbone, runner.message_hub.get_scalar('train/loss').current()
    row = {
        'config': path.stem,
        'starts_from': 'random weights under the published keys' if published else origin(backbone),
        'backbone_parameters': sum(parameter.numel() for parameter in backbone.parameters()),
        'carried': backbone.lineage.get('carried'),
        'loss': loss,
        'seconds_train': seconds,
    }
    del runner, backbone
    gc.collect()
    started = time.perf_counter()
    return {**row, 'AP50': test(path)['AP50'], 'seconds_test': time.perf_counter() - started}
