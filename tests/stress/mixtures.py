"""Start two commands on one folder at once; print what each says and how it ends.

    OMP_NUM_THREADS=1 python tests/stress/mixtures.py

A mixture passes where each command ends with 0, or with 1 and one line that names who is at work;
where at least one ends with 0; and where nothing half-written is left.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from machine_limits import OURS, SAYING, TRAIN, inputs, left, verbs

MIM = [sys.executable, '-m', 'mim']


def mixtures(source: Path) -> dict[str, tuple[list[str | Path], list[str | Path]]]:
    """Return name -> the two commands, which run in a folder that holds `data`."""
    known = verbs(source)
    train = known['train, 0 workers']
    other = [*train[: train.index('run')], 'other', *train[train.index('run') + 1 :]]
    prepare, synth = known['prepare'], known['synth']
    stats = [*OURS, 'stats', '--data-root', 'data']
    return {
        'train, train': (train, train),
        'train, prepare': (train, prepare),
        'prepare, prepare': (prepare, prepare),
        'train, train in another work dir': (train, other),
        'stats, prepare': (stats, prepare),
        'synth, synth': (synth, synth),
        'detect, detect': (known['detect, torch'], known['detect, torch']),
        'detect with torch, detect with ONNX': (known['detect, torch'], known['detect, ONNX']),
        'export, export': (known['export'], known['export']),
        'convert, convert': (known['convert'], known['convert']),
        'study, study': (known['study'], known['study']),
        'study, prepare': (known['study'], [*OURS, 'prepare', '--data-root', source / 'data']),
    }


def in_a_stage(source: Path, folder: Path) -> list[str | Path]:
    """Return a training by hand in the work dir of a study's first stage, once that has begun."""
    for _ in range(600):
        found = [*folder.glob('work/*/training.lock')]
        if found:
            return [*TRAIN[:3], '--work-dir', found[0].parent, *TRAIN[5:],
                    f'train_dataloader.dataset.data_root={source}/data']  # fmt: skip
        time.sleep(0.2)
    raise click.ClickException('no stage began')


def start(command: list[str | Path], folder: Path) -> subprocess.Popen[str]:
    """Start a command, its output in a pipe."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*map(str, command)], cwd=folder, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def said(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return how a process ends and the lines in which it says what is wrong, or for whom it waits."""
    text = process.communicate(timeout=300)[0]
    known = (*SAYING, 'waiting for ', 'Traceback')
    return process.returncode, [line for line in text.splitlines() if line.startswith(known)]


@click.command()
@click.option('--delay-s', default=0.0, show_default=True, help='Between the two starts.')
@click.option('--only', multiple=True)
def main(delay_s: float, only: tuple[str, ...]) -> None:
    """Exit with 0 where each mixture passes."""
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        source = Path(place)
        inputs(source)
        model = [source / 'tiny.pth', '--config', source / 'tiny.py', '--window', '32']
        subprocess.run([*OURS, 'export', *model], check=True, stdout=subprocess.DEVNULL)
        pairs: dict[str, tuple[list[str | Path], list[str | Path] | None]] = {
            **mixtures(source),
            'study, train in its stage': (verbs(source)['study'], None),
        }
        for name, (one, two) in pairs.items():
            if only and name not in only:
                continue
            with tempfile.TemporaryDirectory() as where:
                folder = Path(where)
                subprocess.run(['cp', '-r', source / 'data', folder / 'data'], check=True)
                first = start(one, folder)
                time.sleep(delay_s)
                second = start(two if two is not None else in_a_stage(source, folder), folder)
                ends = [said(first), said(second)]
                half = left(folder)
            codes = [code for code, _ in ends]
            well = (
                0 in codes
                and not half
                and all(
                    code == 0 or (code == 1 and len(lines) == 1 and 'Traceback' not in lines[0])
                    for code, lines in ends
                )
            )
            failed += not well
            click.echo(f'{name} | {codes} | {ends[0][1]} | {ends[1][1]} | {half or ""} | {well}')
    click.echo(f'{failed} mixtures fail')
    raise SystemExit(bool(failed))


if __name__ == '__main__':
    main()
