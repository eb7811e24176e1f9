"""Run a study undisturbed and once more killed at random moments; compare both results.json.

SIGKILL leaves the study no moment to clean up, and what it has started outlives it. Both run in the
same folder, one after the other, for the commands in results.json name it; the undisturbed one is
moved aside.

Example: python tests/stress/kill_study.py studies/kill.yaml --kills 5
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import click

from mmlandslide.study.specification import read


def start(study: Path) -> subprocess.Popen[bytes]:
    """Start a study as a user does, its own output left away."""
    command = [sys.executable, '-m', 'mmlandslide', 'study', str(study)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@click.command(epilog='Example: python tests/stress/kill_study.py studies/kill.yaml --kills 5')
@click.argument('study', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--kills', default=5, show_default=True)
@click.option('--seed', default=0, show_default=True, help='Of the moments.')
@click.option('--longest-s', default=60.0, show_default=True, help='Between two kills.')
def main(study: Path, kills: int, seed: int, longest_s: float) -> None:
    """Exit with 0 where both results are the same to the byte."""
    root, draw = read(study).root, random.Random(seed)
    if root.exists():
        raise click.UsageError(f'{root} exists; move it away')
    began = time.monotonic()
    if start(study).wait():
        raise click.ClickException(f'the undisturbed study failed, see {root}')
    click.echo(f'undisturbed: {time.monotonic() - began:.0f} s')
    whole = root.rename(root.with_name(f'{root.name}.undisturbed'))
    for number in range(1, kills + 1):
        process, seconds = start(study), draw.uniform(1, longest_s)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        stages = len([*root.glob('*/study.log')])
        click.echo(f'kill {number}: after {seconds:.1f} s, {stages} trainings begun')
    if start(study).wait():
        raise click.ClickException(f'the study that was killed failed, see {root}')
    results = [untimed(folder / 'results.json') for folder in (whole, root)]
    same = results[0] == results[1]
    click.echo(
        f'results.json: {len(results[0])} bytes without CPU seconds, '
        + ('the same' if same else f'NOT the same: compare {whole} and {root}')
    )
    raise SystemExit(0 if same else 1)


def untimed(path: Path) -> bytes:
    """Return results without the CPU seconds of their stages, which no two runs have in common."""
    lines = path.read_bytes().splitlines()
    return b'\n'.join(line for line in lines if b'"cpu_seconds"' not in line)


if __name__ == '__main__':
    main()
