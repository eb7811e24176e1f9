"""Kill a process with SIGKILL at random moments of its checkpoint writes; fill its disk.

Close its folder. OMP_NUM_THREADS=1 python tests/stress/kill_saving.py --kills 200 --seed 0

Each life is a fork that trains a linear model through our runner, loop and hook: a checkpoint of 8
MB after each step, one kept. After each kill the last checkpoint must load, be the one that
`last_checkpoint` names, and be no older than before. Then, while a life saves, its disk is filled
(a tmpfs of 64 MB; where mounting is not permitted, files are limited to 4 MB) and its folder closed
(`chattr +i` for root, else `chmod`): exit code 1, one `error:` line, no traceback, and the last
checkpoint as above.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.utils.dl_utils import collect_env
from rich.console import Console
from rich.table import Table
from torch.utils.data import Dataset

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint


@DATASETS.register_module()
class Numbers(Dataset[dict[str, torch.Tensor]]):
    """Two hundred times the number one."""

    def __len__(self) -> int:
        """Return two hundred."""
        return 200

    def __getitem__(self, index: object) -> dict[str, torch.Tensor]:
        """Return one."""
        return {'inputs': torch.ones(1)}


@MODELS.register_module()
class Wide(BaseModel):
    """A million weights, 4 MB, beside which the optimiser keeps as much."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1_000_000, bias=False)

    def forward(self, inputs: torch.Tensor, mode: str = 'loss') -> dict[str, torch.Tensor]:
        """Return the loss."""
        return {'loss': self.layer(inputs).square().mean()}


def config(work_dir: Path) -> Config:
    """Return a training that saves after each step."""
    hook = {
        'type': 'mmlandslide.CheckpointHook',
        'by_epoch': False,
        'interval': 1,
        'max_keep_ckpts': 1,
    }
    data = {
        'dataset': {'type': 'mmlandslide.Numbers'},
        'batch_size': 1,
        'collate_fn': {'type': 'default_collate'},
    }
    values = {
        'model': {'type': 'mmlandslide.Wide'},
        'train_dataloader': {**data, 'sampler': {'type': 'mmlandslide.TileSampler'}},
        'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 1000},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 1e-3, 'momentum': 0.9}},
        'default_hooks': {'checkpoint': hook},
    }
    return Config(
        {
            **values,
            'work_dir': str(work_dir),
            'experiment_name': str(os.getpid()),
            'resume': True,
            'default_scope': 'mmengine',
        }
    )


def born(work_dir: Path, log: Path, prepare: Callable[[], object]) -> int:
    """Fork a life; return its process id once it has written a checkpoint or a part of one."""
    found, pid = set(work_dir.glob('*.pth')), os.fork()
    if pid == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        prepare()
        try:
            LandslideRunner.from_cfg(config(work_dir)).train()
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.flush()
        os._exit(1)
    while not {*work_dir.glob('*.pth'), *work_dir.glob('.*.pth.*.tmp')} - found and not ended(pid):
        time.sleep(0.002)
    return pid


def ended(pid: int) -> bool:
    """Return whether a life is over, without burying it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def left(work_dir: Path) -> str:
    """Return what a kill left, by which the moment is known."""
    standing = sorted(path.name for path in work_dir.glob('*.pth'))
    named = (
        Path((work_dir / 'last_checkpoint').read_text()).name
        if (work_dir / 'last_checkpoint').exists()
        else None
    )
    if list(work_dir.glob('.*.pth.*.tmp')):
        return 'half a checkpoint under another name'
    if list(work_dir.glob('.last_checkpoint.*.tmp')):
        return 'half a pointer under another name'
    newest = max(standing, key=lambda name: int(name[5:-4]), default=None)
    if newest != named:
        return 'a new checkpoint that is not yet pointed to'
    return 'an old checkpoint that is not yet deleted' if len(standing) > 1 else 'nothing half done'


def step_of_last(work_dir: Path) -> int:
    """Return the step of the last checkpoint, which must load and be the one that is pointed to.

    0 where none is yet.
    """
    pointer, latest = work_dir / 'last_checkpoint', latest_checkpoint(work_dir)
    if latest is None:
        return 0
    if pointer.exists() and Path(pointer.read_text()).name != latest.name:
        raise click.ClickException(f'{pointer} names {pointer.read_text()}, which is not there')
    step = int(read_checkpoint(latest)['meta']['iter'])
    if latest.name != f'iter_{step}.pth':
        raise click.ClickException(f'{latest} holds step {step}')
    return step


def kill_often(work_dir: Path, kills: int, chance: random.Random) -> Counter[str]:
    """Kill so many lives, each within its first three writes; return what the kills left."""
    moments: Counter[str] = Counter()
    cycle, step = 0.1, 0
    for _ in range(kills):
        pid, began = born(work_dir, work_dir.with_suffix('.log'), int), time.monotonic()
        time.sleep(chance.uniform(0, 3 * cycle))
        if ended(pid):
            raise click.ClickException(
                f'a life ended by itself:\n{work_dir.with_suffix(".log").read_text()[-3000:]}'
            )
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        moments[left(work_dir)] += 1
        before, step = step, step_of_last(work_dir)
        if step < before:
            raise click.ClickException(
                f'after step {before} the last checkpoint is that of step {step}'
            )
        cycle = (time.monotonic() - began) / (step - before) if step > before else cycle
    return moments


def fill(folder: Path) -> str:
    """Fill a disk to its last byte."""
    with (folder / 'ballast').open('wb', buffering=0) as file:
        try:
            while file.write(b'x' * 4096):
                pass
        except OSError as error:
            return f'disk filled: {error.strerror}'
    raise AssertionError('unreachable: a file is either written or refused')


def close(folder: Path) -> str:
    """Let nobody create or delete a file in a folder."""
    if os.geteuid() == 0:
        subprocess.run(['chattr', '+i', str(folder)], check=True)
        return 'folder closed with chattr +i'
    folder.chmod(0o555)
    return 'folder closed with chmod 555'


def reopen(folder: Path) -> None:
    """Undo `close`."""
    subprocess.run(
        ['chattr', '-i', str(folder)], check=False
    ) if os.geteuid() == 0 else folder.chmod(0o755)


def fail(
    work_dir: Path,
    log: Path,
    spoil: Callable[[], str],
    prepare: Callable[[], object] = lambda: None,
) -> tuple[str, str, bool]:
    """Spoil a life's storage while it saves.

    Return how, what it said last, and whether all is as it must be.
    """
    pid = born(work_dir, log, prepare)
    while not (work_dir / 'last_checkpoint').exists() and not ended(pid):
        time.sleep(0.002)
    how = spoil()
    code, step, text = (
        os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
        step_of_last(work_dir),
        log.read_text(),
    )
    said = [line for line in text.splitlines() if line.startswith('error: ')]
    return (
        how,
        ' '.join(said),
        code == 1 and len(said) == 1 and 'Traceback' not in text and step > 0,
    )


def full_disk(folder: Path) -> tuple[str, str, bool]:
    """Let a life run out of disk, of which nothing half written may stay."""
    disk = folder / 'disk'
    disk.mkdir()
    if subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', str(disk)],
        check=False,
        capture_output=True,
    ).returncode:
        limited = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
        return fail(folder / 'killed', folder / 'log', lambda: 'files limited to 4 MB', limited)
    try:
        how, said, well = fail(disk / 'run', folder / 'log', lambda: fill(disk))
        return how, said, well and not list((disk / 'run').glob('.*.tmp'))
    finally:
        subprocess.run(['umount', str(disk)], check=True)


@click.command()
@click.option('--kills', default=200, show_default=True, help='Lives that are killed.')
@click.option('--seed', default=0, show_default=True, help='Of the moments.')
def main(kills: int, seed: int) -> None:
    """Kill, fill and close; print the tables.

    The exit code is 1 where something is not as it must be.
    """
    console, began = Console(), time.monotonic()
    torch.set_num_threads(1)
    collect_env()  # what a runner imports, once, before any fork
    for registry in (DATA_SAMPLERS, DATASETS, HOOKS, MODELS):
        registry.import_from_location()
    with tempfile.TemporaryDirectory() as name:
        moments = kill_often(Path(name, 'killed'), kills, random.Random(seed))
        table = Table(
            'what the kill left', 'kills', 'the last checkpoint loads and is the one pointed to'
        )
        for moment, count in moments.most_common():
            table.add_row(moment, str(count), f'{count} of {count}')
        console.print(table, f'{time.monotonic() - began:.0f} s')
        closed = Path(name, 'killed')
        try:
            failures = [
                full_disk(Path(name)),
                fail(closed, Path(name, 'log'), lambda: close(closed)),
            ]
        finally:
            reopen(closed)
    for how, said, well in failures:
        console.print(f'{how}: {"as it must be" if well else "NOT as it must be"}\n  {said}')
    sys.exit(not all(well for *_, well in failures))


if __name__ == '__main__':
    main()
