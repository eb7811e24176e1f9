"""Kill trainings with SIGKILL at random moments, resume each, compare with one left alone.

    python tests/stress/kill_training.py --kills 10 --seed 0

Four cases, the demo's pre-training and detection with 0 and 2 workers: 3 epochs of 12 steps with
drop path, a checkpoint every 3 steps, a validation each epoch. The whole training runs as `mim
train`; the killed one as the same script of MMPretrain or MMDetection, in forks of one process that
has imported them, which saves 20 s a life. Equal means: the same sha256 over weights, optimiser and
schedules of the last checkpoint, and one value of every logged scalar at every step, in whichever
life it was logged.
"""

import hashlib
import importlib
import json
import math
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from itertools import product
from pathlib import Path
from typing import Any

import click
import torch
from mmengine.utils.dl_utils import collect_env
from rich.console import Console
from rich.table import Table

from mmlandslide import hosts
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
STAGES = {
    'pretraining': ('mmpretrain', 'pretrain/swin_mae_demo.py', {'train_dataloader': 2}),
    'detection': ('mmdet', 'det/faster_rcnn_demo.py', {'train_dataloader': 2, 'val_dataloader': 0}),
}
DETECTION = ['model.backbone.pretrained=None', 'train_cfg.val_interval=1']
COMMON = [
    *(
        'model.backbone.drop_path_rate=0.2',
        'train_dataloader.batch_size=2',
        'train_dataloader.dataset.indices=24',
    ),
    *(
        'train_cfg.max_epochs=3',
        'param_scheduler.1.end=3',
        'param_scheduler.1.T_max=2',
        'default_hooks.logger.interval=1',
    ),
    *('default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=3'),
]
PHASES = {
    'Saving checkpoint': 'saving',
    'Epoch(val)': 'validation',
    'Epoch(train)': 'training',
    'Checkpoints will be': 'start',
}


def arguments(stage: str, workers: int, data: Path, work_dir: Path) -> list[str]:
    """Return what follows `mim train mmpretrain` or `mim train mmdet`."""
    _, config, resized = STAGES[stage]
    options = [*COMMON, *(DETECTION if stage == 'detection' else [])]
    for loader, step in resized.items():
        options += [
            f'{loader}.num_workers={workers}',
            f'{loader}.persistent_workers={workers > 0}',
            f'{loader}.dataset.data_root={data}',
        ]
        options += [f'{loader}.dataset.pipeline.{step}.size_px=128'] * (stage == 'detection')
    return [
        str(CONFIGS / config),
        '--work-dir',
        str(work_dir),
        '--resume',
        '--cfg-options',
        *options,
    ]


def live(host: str, options: list[str], log: Path, steps: float, chance: random.Random) -> bool:
    """Train in a fork; kill it and its workers at some moment after so many lines of its log.

    Return whether that came to be.
    """
    log.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        train(host, options, log)
    begun, due, ended = 0.0, math.inf, False
    while not ended and time.monotonic() < due:
        time.sleep(0.02)
        seen, now = landmarks(log), time.monotonic()
        begun = begun or now * (seen > 0)
        if due == math.inf and seen > steps:
            due = now + chance.uniform(0, (now - begun) / seen)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    os.killpg(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if ended and status:
        raise click.ClickException(f'a training failed:\n{log.read_text()[-3000:]}')
    return not ended


def landmarks(log: Path) -> int:
    """Return how many steps, validation steps and checkpoints a log tells of, and its begin."""
    text = log.read_text() if log.exists() else ''
    return sum(text.count(mark) for mark in PHASES)


def train(host: str, options: list[str], log: Path) -> None:
    """Become the training script of a host, in a process group of its own; do not return."""
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    script = (
        Path(str(importlib.import_module(host).__file__)).parent / '.mim' / 'tools' / 'train.py'
    )
    sys.argv, code = [str(script), *options], 1
    try:
        runpy.run_path(str(script), run_name='__main__')
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def digest(value: Any, into: Any) -> Any:
    """Feed tensors, dicts, lists and plain values to a hash, in order; return it."""
    if isinstance(value, torch.Tensor):
        into.update(
            f'{value.dtype}{tuple(value.shape)}'.encode()
            + value.reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    elif isinstance(value, dict | list | tuple):
        for item in value.items() if isinstance(value, dict) else value:
            digest(item, into)
    else:
        into.update(repr(value).encode())
    return into


def outcome(work_dir: Path) -> tuple[str, dict[tuple[str, int], set[str]]]:
    """Return the hash of the last checkpoint, and each scalar's logged values at each step."""
    checkpoint = read_checkpoint(latest_checkpoint(work_dir) or work_dir)
    logged: dict[tuple[str, int], set[str]] = {}
    for line in (
        line
        for path in work_dir.glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines()
    ):
        try:
            scalars = json.loads(line)
        except json.JSONDecodeError:  # the process was killed while it wrote this line
            continue
        for name in scalars.keys() - {'step', 'time', 'data_time', 'memory'}:
            logged.setdefault((name, scalars['step']), set()).add(repr(scalars[name]))
    kept = {key: checkpoint[key] for key in ('state_dict', 'optimizer', 'param_schedulers')}
    return digest(kept, hashlib.sha256()).hexdigest(), logged


def phase(log: Path) -> str:
    """Return what a killed training was doing, by the last landmark in its log."""
    text = log.read_text()
    return PHASES[max(PHASES, key=text.rfind)]


def run_case(
    stage: str, workers: int, folder: Path, kills: int, chance: random.Random
) -> list[str]:
    """Run one case; return its row of the table, which ends with whether all is equal."""
    host, case = STAGES[stage][0], folder / f'{stage}_{workers}'
    case.mkdir()
    with (case / 'whole.log').open('w') as log:
        command = [
            'mim',
            'train',
            host,
            *arguments(stage, workers, folder / 'tiles', case / 'whole'),
        ]
        subprocess.run(
            command, check=True, stdout=log, stderr=log, env={**os.environ, 'OMP_NUM_THREADS': '1'}
        )
    moments, most, chains = [], landmarks(case / 'whole.log'), [case / 'killed_1']
    while len(moments) < kills:
        log, steps = case / f'{len(moments)}.log', chance.uniform(0, 1.5 * most / kills)
        if live(host, arguments(stage, workers, folder / 'tiles', chains[-1]), log, steps, chance):
            moments.append(phase(log))
        else:  # it came to its end before the moment; the kills that are left go to another one
            chains.append(case / f'killed_{len(chains) + 1}')
    live(
        host,
        arguments(stage, workers, folder / 'tiles', chains[-1]),
        case / 'last.log',
        math.inf,
        chance,
    )
    wanted, logged = outcome(case / 'whole')
    found = [outcome(chain) for chain in chains]
    equal = all(weights == wanted and scalars == logged for weights, scalars in found)
    same = min(
        sum(scalars.get(key) == value for key, value in logged.items()) for _, scalars in found
    )
    hit = ', '.join(f'{moments.count(name)} {name}' for name in PHASES.values() if name in moments)
    hashes = f'{", ".join(weights[:12] for weights, _ in found)} for {wanted[:12]}'
    return [
        stage,
        str(workers),
        f'{len(moments)}: {hit}',
        hashes,
        f'{same} of {len(logged)}',
        'yes' if equal else 'NO',
    ]


@click.command()
@click.option('--kills', default=10, show_default=True, help='Kills in each case.')
@click.option('--seed', default=0, show_default=True, help='Of the moments.')
def main(kills: int, seed: int) -> None:
    """Run the four cases and print the table; the exit code is 1 where a case differs."""
    chance, began, console = random.Random(seed), time.monotonic(), Console()
    torch.set_num_threads(1)
    hosts.prepare()
    collect_env()  # what a runner imports, once, before any fork
    for name in (
        'mmdet.apis',
        'mmpretrain.apis',
        'mmlandslide.engine.runner',
        'mmlandslide.models.self_supervision.swin_mae',
    ):
        importlib.import_module(name)
    table = Table(
        'stage',
        'workers',
        'kills, and during what',
        'sha256 for that of `mim train`',
        'scalars equal',
        'equal',
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        sizes = ['--train', '24', '--val', '6', '--test', '0']
        subprocess.run(['mmlandslide', 'synth', '--out', f'{name}/tiles', *sizes], check=True)
        for stage, workers in product(STAGES, (0, 2)):
            row = run_case(stage, workers, Path(name), kills, chance)
            console.print(*row)
            table.add_row(*row)
    console.print(table, f'{time.monotonic() - began:.0f} s')
    sys.exit(any(cell == 'NO' for cell in table.columns[-1].cells))


if __name__ == '__main__':
    main()
