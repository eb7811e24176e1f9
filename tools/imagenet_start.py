"""Train a small detector from ImageNet weights and from scratch, same steps and seed, and print what both reach on `valid`.

Two runs of `mim train` that differ in `model.backbone.pretrained` alone. Head and pyramid are
narrower than the config's: half the seconds of a step on a CPU. Example: python
tools/imagenet_start.py --data-root data/l4s_rgb
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from mmlandslide.files import write_json

#: What makes a step cheap: 64 channels, 64 RoIs, 200 proposals (a tile holds 4 boxes, 45 at most).
CHEAP = {
    'neck.out_channels': 64,
    'rpn_head.in_channels': 64,
    'rpn_head.feat_channels': 64,
    'roi_head.bbox_roi_extractor.out_channels': 64,
    'roi_head.bbox_head.in_channels': 64,
    'train_cfg.rcnn.sampler.num': 64,
    'train_cfg.rpn_proposal.nms_pre': 300,
    'train_cfg.rpn_proposal.max_per_img': 200,
}


def options(data_root: str, epochs: int, lr: float, seed: int, tiles: int | None) -> dict[str, Any]:
    """Return the `--cfg-options` that both runs share."""
    schedule = {'end': epochs, 'T_max': epochs - 1}  # the first epoch is the warm-up
    roots = {f'{part}_dataloader.dataset.data_root': data_root for part in ('train', 'val')}
    few = (
        {}
        if tiles is None
        else {f'{part}_dataloader.dataset.indices': tiles for part in ('train', 'val')}
    )
    return {
        **{f'model.{key}': value for key, value in CHEAP.items()},
        **{f'param_scheduler.1.{key}': value for key, value in schedule.items()},
        **{'train_cfg.max_epochs': epochs, 'train_cfg.val_interval': epochs},
        **{'optim_wrapper.optimizer.lr': lr, 'randomness.seed': seed, **roots, **few},
    }


def trained(config: str, work_dir: Path, chosen: dict[str, Any]) -> dict[str, float]:
    """Train through `mim`.

    Return the metrics on `valid` after the last epoch, the steps and the seconds.
    """
    words = [
        f'{key}={value}' for key, value in {**chosen, 'val_evaluator.out_dir': work_dir}.items()
    ]
    start = time.perf_counter()
    command = [
        sys.executable,
        '-m',
        'mim',
        'train',
        'mmdet',
        config,
        '--work-dir',
        str(work_dir),
        '--cfg-options',
        *words,
    ]
    subprocess.run(command, check=True)
    found: dict[str, float] = json.loads((work_dir / 'metrics.json').read_text())
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))[-1:]
        for line in path.open()
    ]
    steps = max(line['step'] for line in lines if 'loss' in line)
    return {
        'AP50': found['AP50'],
        'AP': found['AP'],
        'steps': steps,
        'seconds': round(time.perf_counter() - start),
    }


@click.command(epilog='Example: python tools/imagenet_start.py --data-root data/l4s_rgb')
@click.option('--config', default='configs/det/faster_rcnn_mobilenet_v2_rgb8.py', show_default=True)
@click.option('--data-root', default='data/l4s_rgb', show_default=True)
@click.option(
    '--epochs',
    type=click.IntRange(2),
    default=4,
    show_default=True,
    help='The first is the warm-up.',
)
@click.option('--lr', default=6e-4, show_default=True)
@click.option('--seed', default=0, show_default=True)
@click.option('--tiles', type=int, help='Of each split; default: all.')
@click.option(
    '--out',
    type=click.Path(path_type=Path),
    default=Path('work_dirs/imagenet_start'),
    show_default=True,
)
def main(
    config: str, data_root: str, epochs: int, lr: float, seed: int, tiles: int | None, out: Path
) -> None:
    """Print AP50 and AP of both, side by side, and write them to OUT/imagenet_start.json."""
    shared = options(data_root, epochs, lr, seed, tiles)
    starts = {'ImageNet': {}, 'scratch': {'model.backbone.pretrained': None}}
    rows = {
        name: trained(config, out / name.lower(), {**shared, **own}) for name, own in starts.items()
    }
    write_json(out / 'imagenet_start.json', {'config': config, 'options': shared, 'results': rows})
    click.echo(
        f'{config}, seed {seed}\n{"start":<10}{"AP50":>8}{"AP":>8}{"steps":>8}{"seconds":>9}'
    )
    for name, row in rows.items():
        click.echo(
            f'{name:<10}{row["AP50"]:>8.3f}{row["AP"]:>8.3f}{row["steps"]:>8}{row["seconds"]:>9}'
        )


if __name__ == '__main__':
    main()
