"""CPU seconds of what users wait for first: `doctor`, a training's first step, one window of a scene.

Each is a command, started anew in every round, in turn, and its seconds are those of all its
processes. The training has one tile of 128 px, one step, no validation, and writes its checkpoint;
`mim` comes first and the same by MMDetection's own script after it, as `mmlandslide study` does.
The scene is one window, by PyTorch and by the shipped model. The first round warms the page cache
and does not count. With --against, another checkout runs the same commands in turn, its package
before the installed one; run it in an environment of `pip install '.[openmmlab]'`, since what
developers have besides (transformers) is imported too.

Example: python tools/benchmark/starts.py --rounds 5 --against ../before
"""

import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parents[2]
CONFIG = 'configs/det/faster_rcnn_mobilenet_v2.py'
BIN = Path(sys.executable).parent


def cpu_seconds(words: Sequence[str], tree: Path = HERE) -> float:
    """Return what a command of a tree and its children took; stop where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        words,
        cwd=tree,
        env=os.environ | {'PYTHONPATH': str(tree), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f'{shlex.join(words)}: {done.returncode}\n{done.stderr[-2000:]}')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepared(folder: Path) -> dict[str, list[str]]:
    """Return the commands; their data, and a checkpoint of fresh weights, lie in a folder."""
    own = str(BIN / 'mmlandslide')
    cpu_seconds(
        [own, 'synth', '--out', f'{folder}/data', '--train', '1', '--val', '1', '--test', '1']
    )
    cfg = Config.fromfile(HERE / CONFIG)
    init_default_scope(cfg.default_scope)
    cfg.merge_from_dict({'model.backbone.pretrained': None})
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, folder / 'random.pth')
    options = [
        'model.backbone.pretrained=None',
        f'train_dataloader.dataset.data_root={folder}/data',
        'train_dataloader.dataset.split_file=None',
        'train_dataloader.batch_size=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'train_cfg.max_epochs=1',
        'val_cfg=None',
        'val_dataloader=None',
        'val_evaluator=None',
        'default_hooks.checkpoint.save_best=None',
    ]
    rest = [CONFIG, '--work-dir', f'{folder}/run', '--cfg-options', *options]
    scene = f'{folder}/data/TestData/img/image_1.h5'
    spec = find_spec('mmdet')
    assert spec is not None
    assert spec.origin is not None
    script = str(Path(spec.origin).parent / '.mim' / 'tools' / 'train.py')
    detect = [own, 'detect', scene, '--overwrite', '--score-thr', '0.9', '--no-check']
    return {
        'mmlandslide doctor': [own, 'doctor'],
        'mim train mmdet, one step': [str(BIN / 'mim'), 'train', 'mmdet', *rest],
        "the same by MMDetection's script": [sys.executable, script, *rest],
        'detect, one window, PyTorch': [
            *detect,
            '--config',
            CONFIG,
            '--checkpoint',
            f'{folder}/random.pth',
            '--out',
            f'{folder}/torch.gpkg',
        ],
        'detect, one window, shipped model': [*detect, '--out', f'{folder}/onnx.gpkg'],
    }


def measured(commands: dict[str, list[str]], trees: Sequence[Path], rounds: int) -> Any:
    """Return command -> tree -> seconds of each round; a tree that lacks the command has none."""
    seconds: dict[str, dict[Path, list[float]]] = {
        each: {tree: [] for tree in trees} for each in commands
    }
    for number in range(rounds + 1):
        for each, words in commands.items():
            for tree in trees:
                try:
                    found = cpu_seconds(words, tree)
                except click.ClickException as error:
                    if tree == HERE:
                        raise
                    click.echo(f'{tree}: {error}', err=True)
                    continue
                if number:
                    seconds[each][tree].append(found)
    return seconds


@click.command(epilog='Example: python tools/benchmark/starts.py --rounds 5 --against ../before')
@click.option('--rounds', default=5, show_default=True, help='Counted rounds; one more warms up.')
@click.option('--against', type=click.Path(exists=True, path_type=Path), help='Another checkout.')
def main(rounds: int, against: Path | None) -> None:
    """Print the CPU seconds of each start."""
    trees = [*([against.resolve()] if against else []), HERE]
    with tempfile.TemporaryDirectory() as name:
        seconds = measured(prepared(Path(name)), trees, rounds)
    table = Table('start', 'CPU s, median', 'of each round', title=f'{rounds} rounds, in turn')
    for each, sides in seconds.items():
        for tree, found in sides.items():
            shown = ', '.join(f'{value:.1f}' for value in found)
            side = 'now' if tree == HERE else 'before'
            median = f'{statistics.median(found):.1f}' if found else 'has none'
            table.add_row(f'{each}, {side}' if against else each, median, shown)
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
