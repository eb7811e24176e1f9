"""Cost against work: CPU seconds and memory of `prepare` over tiles and of a search over pixels.

Tiles are simulated once and linked into folders of each size; `prepare` may use one core or two,
and reads with as many processes. Scenes are those of `scene_memory.py`: reading, cutting, merging
and writing without a model, by one process. CPU seconds, so that another load on the machine
matters little; memory is the proportional set size of all processes, sampled, and of the search
its largest resident set. A slope of 1 in the logarithms is linear.

Example: python tools/benchmark/scale.py --out docs/scale.svg
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure
from prepare_time import watched
from rich.console import Console
from rich.table import Table

from mmlandslide.datasets.simulation.synthetic import write_dataset

HERE = Path(__file__).parent
#: Work, CPU seconds, MiB.
Row = tuple[int, float, float]


def linked(source: Path, target: Path, count: int) -> Path:
    """Return a folder with the first tiles of another, as hard links."""
    for kind in ('img', 'mask'):
        folder = target / 'TrainData' / kind
        folder.mkdir(parents=True)
        stem = {'img': 'image', 'mask': 'mask'}[kind]
        for number in range(1, count + 1):
            name = f'{stem}_{number}.h5'
            os.link(source / 'TrainData' / kind / name, folder / name)
    return target


def prepared(data_root: Path, cores: int) -> tuple[float, float]:
    """Return the CPU seconds and the MiB at most of `prepare` on so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    process = subprocess.Popen(
        [sys.executable, '-m', 'mmlandslide', 'prepare', '--data-root', str(data_root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    found = watched(process)
    if process.returncode:
        raise click.ClickException(f'prepare of {data_root} ended with {process.returncode}')
    return found


def searched(side_px: int) -> tuple[float, float]:
    """Return the CPU seconds and the MiB at most of the search of a scene."""
    words = [sys.executable, HERE / 'scene_memory.py', '--side-px', side_px, '--json']
    if side_px < 2000:
        words += ['--repeats', 1]
    printed = subprocess.check_output([str(word) for word in words], text=True)
    found = json.loads(printed.splitlines()[-1])
    return found['cpu_s'], found['peak_mib']


def slope(rows: Sequence[Row]) -> float:
    """Return the exponent of the work in the seconds, without the start: of the larger half."""
    works, seconds = (
        np.log([row[place] for row in rows[len(rows) // 2 - 1 :]]) for place in (0, 1)
    )
    return float(np.polyfit(works, seconds, 1)[0])


def drawn(found: dict[str, list[Row]], units: dict[str, str], path: Path) -> None:
    """Draw seconds above memory, both against the work."""
    figure = Figure(figsize=(8, 5), layout='constrained')
    axes = figure.subplots(2, 2, sharex='col')
    for name, rows in found.items():
        column = int(units[name] == 'Mpx')
        works = [row[0] / (1e6 if column else 1) for row in rows]
        for row, place in enumerate((1, 2)):
            axis = axes[row][column]
            axis.plot(works, [each[place] for each in rows], 'o-', label=name)
            axis.set_xscale('log')
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)
        axes[0][column].set_yscale('log')
        axes[1][column].set_ylim(bottom=0)
        axes[1][column].set_xlabel(units[name])
    axes[0][0].set_ylabel('CPU s')
    axes[1][0].set_ylabel('MiB at most')
    figure.savefig(path, metadata={'Date': None})


@click.command(epilog='Example: python tools/benchmark/scale.py --out docs/scale.svg')
@click.option('--out', type=click.Path(path_type=Path), help='Write the plot (SVG) here.')
@click.option('--tiles', multiple=True, default=(250, 500, 1000, 2000, 4000), show_default=True)
@click.option(
    '--sides-px', multiple=True, default=(512, 1024, 2048, 5490, 10980), show_default=True
)
def main(out: Path | None, tiles: tuple[int, ...], sides_px: tuple[int, ...]) -> None:
    """Print CPU seconds and memory against the work, and the slopes."""
    found: dict[str, list[Row]] = {}
    units: dict[str, str] = {}
    table = Table('what', 'work', 'CPU s', 'ms a tile or Mpx', 'MiB at most')

    def measure(name: str, unit: str, work: int, cost: Callable[[], tuple[float, float]]) -> None:
        seconds, mib = cost()
        units[name] = unit
        found.setdefault(name, []).append((work, seconds, mib))
        per = 1000 * seconds / (work / 1e6 if unit == 'Mpx' else work)
        table.add_row(name, f'{work:,}', f'{seconds:.1f}', f'{per:.1f}', f'{mib:.0f}')
        click.echo(f'{name}, {work}: {seconds:.1f} s, {mib:.0f} MiB', err=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder / 'all', {'train': max(tiles)}, seed=0)
        for count in sorted(tiles):
            for cores in (1, 2):
                root = linked(folder / 'all', folder / f'{count}_{cores}', count)
                measure(
                    f'prepare, {cores} process{"es" * (cores > 1)}',
                    'tiles',
                    count,
                    lambda root=root, cores=cores: prepared(root, cores),
                )
    for side_px in sorted(sides_px):
        measure('search', 'Mpx', side_px**2, lambda side_px=side_px: searched(side_px))
    console = Console(width=100)
    console.print(table)
    for each, rows in found.items():
        console.print(f'{each}: CPU s grow with the work to the power of {slope(rows):.2f}')
    if out is not None:
        drawn(found, units, out)


if __name__ == '__main__':
    main()
