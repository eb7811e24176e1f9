"""Train one config twice through mim, as one process of batch 2 B and as two gloo processes of batch B, and compare the losses.

Both see the same tiles with the same augmentations and masks in the same steps, so the losses are
equal up to rounding: a mean of two means instead of one. Rounding grows from step to step as the
weights drift apart; the tolerance leaves room for that.
"""

import csv
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from mmengine.config import Config
from rich.console import Console
from rich.table import Table

from mmlandslide.datasets.simulation.synthetic import write_dataset

#: No checkpoints, no validation, no smoothing: one logged loss a step.
PLAIN = {
    'default_hooks.checkpoint.interval': -1,
    'default_hooks.checkpoint.save_best': None,
    'default_hooks.logger.interval': 1,
    'log_processor.window_size': 1,
    'val_cfg': None,
    'val_dataloader': None,
    'val_evaluator': None,
    'model.backbone.pretrained': None,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
}


def losses(
    config: Path, work_dir: Path, launch: list[str], options: dict[str, object]
) -> list[float]:
    """Train on the CPU and return the loss of each step."""
    mim = [
        str(Path(sys.executable).with_name('mim')),
        'train',
        Config.fromfile(config).default_scope,
        str(config),
    ]
    chosen = [f'{name}={value}' for name, value in {**PLAIN, **options}.items()]
    command = [*mim, *launch, '--work-dir', str(work_dir), '--cfg-options', *chosen]
    run = subprocess.run(
        command,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise click.ClickException(
            f'{" ".join(command)}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}'
        )
    (table,) = work_dir.glob('*/vis_data/scalars.csv')
    with table.open(newline='') as file:
        return [float(row['value']) for row in csv.DictReader(file) if row['name'] == 'loss']


@click.command(
    epilog='Example: python tools/benchmark/two_processes.py configs/pretrain/swin_mae_demo.py'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.option('--batch', default=4, show_default=True, help='B, tiles a step and process of two.')
@click.option('--steps', default=50, show_default=True)
@click.option(
    '--tiles',
    default=40,
    show_default=True,
    help='Simulated training tiles; even, as an odd one would be seen twice.',
)
@click.option(
    '--tolerance', default=1e-4, show_default=True, help='Largest relative difference of a loss.'
)
@click.option(
    '--every',
    default=5,
    show_default=True,
    help='Steps from one row to the next; the worst step is always shown.',
)
@click.option(
    '--option',
    'given',
    multiple=True,
    help='More of --cfg-options, such as model.backbone.drop_path_rate=0.',
)
def main(
    config: Path,
    batch: int,
    steps: int,
    tiles: int,
    tolerance: float,
    every: int,
    given: tuple[str, ...],
) -> None:
    """Print the losses of both trainings.

    Exit with 1 where a step differs by more than the tolerance.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_dataset(root / 'tiles', {'train': tiles}, seed=0)
        epochs = math.ceil(steps / math.ceil(tiles / (2 * batch)))
        options = {
            'train_dataloader.dataset.data_root': root / 'tiles',
            'train_cfg.max_epochs': epochs,
        }
        options |= dict(pair.split('=', 1) for pair in given)
        one = losses(
            config, root / 'one', [], {**options, 'train_dataloader.batch_size': 2 * batch}
        )
        launch = ['--launcher', 'pytorch', '--gpus', '2']
        two = losses(
            config, root / 'two', launch, {**options, 'train_dataloader.batch_size': batch}
        )
    gaps = [abs(a - b) / abs(a) for a, b in zip(one[:steps], two[:steps], strict=True)]
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    table = Table(
        'step',
        f'one process, batch {2 * batch}',
        f'two, batch {batch} each',
        'relative difference',
        title=config.name,
    )
    for step in sorted({worst, *range(0, len(gaps), every), len(gaps) - 1}):
        table.add_row(str(step + 1), f'{one[step]:.7f}', f'{two[step]:.7f}', f'{gaps[step]:.1e}')
    Console().print(
        table,
        f'{len(gaps)} steps; largest relative difference {gaps[worst]:.1e} at step {worst + 1}',
    )
    if len(gaps) < steps or not gaps[worst] <= tolerance:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
