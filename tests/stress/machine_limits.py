"""Run each verb on a machine that lacks something; print what it says and what it leaves.

    PYTHONPATH=tests python tests/stress/machine_limits.py --limit full --limit inodes

As root on Linux: a verb's folder is a tmpfs of its own. A case passes where the verb ends with 0,
or with 1 and one line `error: ... <file or limit> ... <remedy>`; within ten minutes; without a
traceback; and leaves nothing half-written (hidden temporary files, HDF5 that does not open,
GeoPackages that hold nothing, half a JSON).
"""

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import factories
import h5py
import numpy as np
import rasterio
import tiny_detector

from mmlandslide.evaluation.results import TileResult
from mmlandslide.files import write_json

ROOT = Path(__file__).resolve().parents[2]
OURS = [sys.executable, '-m', 'mmlandslide']
# What `mim train mmpretrain` starts; mim itself adds its own traceback of the command that failed.
TRAIN = [
    sys.executable,
    *Path(sys.prefix).glob('lib/python3*/site-packages/mmpretrain/.mim/tools/train.py'),
    ROOT / 'configs/pretrain/swin_mae_demo.py',
    *['--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1'],
    'train_dataloader.batch_size=2',
]
# What `mim test mmdet` starts.
TEST = [
    sys.executable,
    *Path(sys.prefix).glob('lib/python3*/site-packages/mmdet/.mim/tools/test.py'),
]
#: How a verb, and a study of its stage, says what is wrong.
SAYING = ('error: ', 'failed: ')
#: What `doctor` ends with in the place of one error.
DOCTOR = re.compile(r'\d+ faults?$', re.MULTILINE)
DETECT = [
    '--window',
    '32',
    '--overlap',
    '8',
    '--scale',
    'landslide4sense',
    '--no-check',
    '--out',
    'out/x.gpkg',
]


@dataclass
class Limit:
    """What a machine lacks.

    Attributes:
        mount: options of the tmpfs that is the verb's folder; `None` for an ordinary folder.
        fill: bytes that are left free there.
        read_only: whether the folder is mounted so once the inputs lie there.
        environment: variables; `None` takes one away.
        prepare: called in the verb's process before it starts.
        shell: wrapped around the command.
    """

    mount: str | None = None
    fill: int | None = None
    read_only: bool = False
    environment: Mapping[str, str | None] = field(default_factory=dict)
    prepare: Callable[[], object] | None = None
    shell: str = ''


def few_files(count: int) -> None:
    """Let a process open few files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


LIMITS = {
    'full': Limit('size=64m', fill=0),
    'nearly full': Limit('size=64m', fill=40_960),
    'few MB': Limit('size=64m', fill=3_000_000),
    'inodes': Limit('size=64m,nr_inodes=100', fill=-1),
    'read-only': Limit('size=64m', read_only=True),
    '48 files': Limit(prepare=partial(few_files, 48)),
    '24 files': Limit(prepare=partial(few_files, 24)),
    'shm': Limit(shell='mount -t tmpfs -o size=64k none /dev/shm && '),
    'no home': Limit(environment={'HOME': None}),
    'home that is not there': Limit(environment={'HOME': '/nonexistent', 'TMPDIR': '/nonexistent'}),
}


def inputs(folder: Path) -> None:
    """Write a data set, a detector, a scene, predictions and a study."""
    counts = ['--train', '8', '--val', '8', '--test', '2', '--seed', '0']
    subprocess.run([*OURS, 'synth', '--out', folder / 'data', *counts], check=True)
    tiny_detector.write_training(folder / 'data', folder)
    factories.write_tiff(folder / 'scene.tif', tiny_detector.image())
    at = np.arange(20, dtype=np.float32)[:, None] * 6
    boxes = np.concatenate([at, at, at + 5, at + 5], 1)
    scores, labels = np.linspace(0.1, 0.9, 20, dtype=np.float32), np.zeros(20, np.int64)
    rows = [
        TileResult(f'test/{n}', boxes, scores, labels, boxes[::2], labels[::2], (128, 128))
        for n in (1, 2)
    ]
    names = ('boxes_xyxy', 'scores', 'labels', 'true_boxes_xyxy', 'true_labels')
    write_json(
        folder / 'predictions.json',
        [
            {
                'img_id': row.tile_id,
                'ori_shape': (128, 128),
                **{name: vars(row)[name] for name in names},
            }
            for row in rows
        ],
    )
    (folder / 'train.txt').write_text('train/1\ntrain/2\ntrain/3\ntrain/4\n')
    (folder / 'score.txt').write_text('train/5\ntrain/6\n')
    (folder / 'study.yaml').write_text(
        f"""
name: Limits
seeds: [0]
work_dir: work
protocols: {{one: {{train_ids: {folder}/train.txt, score_ids: {folder}/score.txt}}}}
detect: {{epochs: 2, batch_size: 2, warmup: 1}}
backbones:
  demo:
    config: {ROOT}/configs/det/faster_rcnn_demo.py
    options: {{train_dataloader.dataset.data_root: {folder}/data,
      test_dataloader.dataset.data_root: {folder}/data, val_dataloader.dataset.data_root: {folder}/data,
      test_dataloader.dataset.split: train, val_dataloader.dataset.split: train}}
    strategies: {{scratch: {{options: {{model.backbone.pretrained: null}}}}}}
"""
    )


def verbs(source: Path) -> dict[str, list[str | Path]]:
    """Return the commands; what is written goes below the current folder."""
    model = ['--config', source / 'tiny.py', '--checkpoint', source / 'tiny.pth']
    order = ','.join(tiny_detector.BANDS)
    data = ['--data-root', source / 'data']
    test = [source / 'tiny.py', source / 'tiny.pth', '--work-dir', 'run', '--cfg-options']
    of_test = ['test_dataloader.dataset.data_root=data', 'test_dataloader.num_workers=']
    own = ['train_dataloader.dataset.data_root=data', 'train_dataloader.num_workers=']
    return {
        'synth': [*OURS, 'synth', '--out', 'made', '--train', '3', '--val', '1', '--test', '1'],
        'synth, processes': [*OURS, 'synth', '--out', 'made', '--train', '80'],
        'prepare': [*OURS, 'prepare', '--data-root', 'data'],
        'prepare --json': [*OURS, 'prepare', *data, '--check', '--json', 'out/p.json'],
        'stats --json': [*OURS, 'stats', *data, '--json', 'out/s.json'],
        'grid --json': [
            *OURS, 'grid', '--leaks', source / 'train.txt', source / 'score.txt', '--json', 'out/g.json',
        ],
        'grid --mosaic': [*OURS, 'grid', *data, '--mosaic', 'out'],
        'detect, torch': [
            *OURS, 'detect', source / 'scene.tif', *model, '--band-order', order, '--report', *DETECT,
        ],
        'detect, ONNX': [
            *OURS, 'detect', source / 'scene.tif', '--model', source / 'tiny.onnx', '--band-order',
            order, '--report', '--scale', 'landslide4sense', '--no-check', '--out', 'out/x.gpkg',
        ],
        'export': [
            *OURS, 'export', source / 'tiny.pth', '--config', source / 'tiny.py', '--window', '32',
            '--out', 'out/x.onnx',
        ],
        'convert': [*OURS, 'convert', source / 'tiny.pth', '--out', 'out/x.safetensors'],
        'calibrate': [
            *OURS, 'calibrate', source / 'tiny.pth', '--predictions', source / 'predictions.json',
            '--out', 'out/x.pth', '--json', 'out/c.json',
        ],
        'train, 0 workers': [*TRAIN, *own[:1], own[1] + '0'],
        'train, 4 workers': [*TRAIN, *own[:1], own[1] + '4'],
        'test, 0 workers': [*TEST, *test, *of_test[:1], of_test[1] + '0'],
        'test, 4 workers': [*TEST, *test, *of_test[:1], of_test[1] + '4'],
        'probe': [
            *OURS, 'probe', source / 'tiny.pth', '--config', source / 'tiny.py', *data,
            '--fit-split', 'train', '--label', 'median', '--neighbours', '3', '--json', 'out/probe.json',
        ],
        'study': [*OURS, 'study', source / 'study.yaml'],
        'doctor': [*OURS, 'doctor'],
        'models': [*OURS, 'models'],
        'inspect': [*OURS, 'inspect', source / 'tiny.pth'],
    }  # fmt: skip


@contextmanager
def machine(limit: Limit, source: Path) -> Iterator[Path]:
    """Give the folder of a verb, with a data set in it, and take it away."""
    folder = Path(tempfile.mkdtemp())
    if limit.mount:
        subprocess.run(['mount', '-t', 'tmpfs', '-o', limit.mount, 'none', folder], check=True)
    try:
        data = folder / 'data'
        shutil.copytree(source / 'data', data)
        if limit.fill is not None:
            _fill(folder, limit.fill)
        if limit.read_only:
            subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)
        yield folder
    finally:
        if limit.mount:
            subprocess.run(['umount', '-l', folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path, free: int) -> None:
    """Leave so many bytes free, or where that is negative no inode."""
    if free < 0:
        with suppress(OSError):
            for number in range(1000):
                (folder / f'filler{number}').touch()
        return
    room = os.statvfs(folder)
    with (folder / 'filler').open('wb') as file:
        file.write(bytes(max(0, room.f_bavail * room.f_frsize - free)))


def run(command: list[str | Path], limit: Limit, folder: Path) -> tuple[int | str, str]:
    """Run a verb; return its exit code, or `hangs`, and what it said."""
    environment = {**os.environ, **{k: v for k, v in limit.environment.items() if v is not None}}
    for name in (name for name, value in limit.environment.items() if value is None):
        environment.pop(name, None)
    words = [*map(str, command)]
    if limit.shell:
        words = ['unshare', '-m', 'sh', '-c', f'{limit.shell}exec "$@"', 'sh', *words]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        text=True,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        preexec_fn=limit.prepare,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return 'hangs', process.communicate()[0]
    return process.returncode, text


def left(folder: Path) -> list[str]:
    """Return what a verb has left half-written."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob('*')
        if path.is_file() and not path.name.startswith('filler') and _half(path)
    ]


def _half(path: Path) -> bool:
    if path.name.endswith(('.tmp', '.partial', '.part')):
        return True
    try:
        if path.suffix == '.h5':
            h5py.File(path, 'r').close()
        if path.suffix == '.tif':
            with rasterio.open(path) as raster:
                raster.read()
        if path.suffix == '.json' and 'vis_data' not in path.parts:  # logs there are JSON lines
            json.loads(path.read_text())
        if path.suffix == '.gpkg':
            with sqlite3.connect(path) as base:
                base.execute('select count(*) from gpkg_contents').fetchone()
    except (OSError, ValueError, sqlite3.Error, rasterio.errors.RasterioError):
        return True
    return False


def verdict(code: int | str, text: str, half: list[str]) -> str:
    """Return what is wrong with a case, nothing where it passes."""
    errors = [line for line in text.splitlines() if line.lstrip().startswith(SAYING)]
    wrong = [f'half-written: {half[:3]}'] if half else []
    if 'Traceback (most recent call last)' in text:
        wrong.append('traceback')
    if code not in (0, 1):
        wrong.append(f'exit code {code}')
    if code == 1 and len(errors) != 1 and not DOCTOR.search(text):
        wrong.append(f'{len(errors)} lines of error')
    return '; '.join(wrong)


@click.command()
@click.option('--limit', 'limits', multiple=True, type=click.Choice(list(LIMITS)))
@click.option('--verb', 'chosen', multiple=True)
@click.option('--verbose', is_flag=True, help='Print all that the failing ones say.')
def main(limits: tuple[str, ...], chosen: tuple[str, ...], verbose: bool) -> None:
    """Exit with 0 where each case passes."""
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        source = Path(place)
        inputs(source)
        subprocess.run(
            [
                *OURS,
                'export',
                source / 'tiny.pth',
                '--config',
                source / 'tiny.py',
                '--window',
                '32',
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for name in limits or LIMITS:
            for verb, command in verbs(source).items():
                if chosen and verb not in chosen:
                    continue
                with machine(LIMITS[name], source) as folder:
                    code, text = run(command, LIMITS[name], folder)
                    wrong = verdict(code, text, left(folder))
                errors = [line for line in text.splitlines() if line.lstrip().startswith(SAYING)]
                said = (errors or text.strip().splitlines() or [''])[-1]
                click.echo(f'{name} | {verb} | {code} | {said.strip()[:400]} | {wrong}')
                failed += bool(wrong)
                if wrong and verbose:
                    click.echo(text[-3000:])
    click.echo(f'{failed} cases fail')
    raise SystemExit(bool(failed))


if __name__ == '__main__':
    main()
