"""Compare what every check of a tile costs `prepare` in this tree and in another checkout.

Each round starts a process of each side, in turn, which examines the same simulated tiles twice;
the second time counts. CPU milliseconds a tile.

Example: OMP_NUM_THREADS=1 python tools/benchmark/examine_time.py --against ../before
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from mmlandslide.datasets.simulation.synthetic import write_dataset

HERE = Path(__file__).resolve().parents[2]


def examined(data_root: Path) -> float:
    """Return the CPU milliseconds a tile of one process."""
    from mmlandslide.datasets.checks import preflight
    from mmlandslide.datasets.storage import index

    refs, seconds = index.pair(data_root, 'train').refs, 0.0
    for _ in range(2):
        start = time.process_time()
        for ref in refs:
            preflight.examine(ref, tile_hw=(128, 128))
        seconds = time.process_time() - start
    return 1000 * seconds / len(refs)


@click.command(epilog='Example: python tools/benchmark/examine_time.py --against ../before')
@click.option('--against', type=click.Path(exists=True, path_type=Path), required=True)
@click.option('--rounds', default=5, show_default=True)
@click.option('--child', type=click.Path(path_type=Path), hidden=True)
def main(against: Path, rounds: int, child: Path | None) -> None:
    """Print the medians of both sides and the ratios of the rounds."""
    if child is not None:
        print(examined(child))  # noqa: T201
        return
    found: dict[Path, list[float]] = {against.resolve(): [], HERE: []}
    with tempfile.TemporaryDirectory() as name:
        write_dataset(Path(name), {'train': 60}, seed=0)
        for _ in range(rounds):
            for tree, ms in found.items():
                words = [sys.executable, __file__, '--against', str(tree), '--child', name]
                env = os.environ | {'PYTHONPATH': str(tree)}
                ms.append(float(subprocess.check_output(words, env=env, text=True)))
    before, now = found.values()
    ratios = ', '.join(f'{b / a:.2f}' for a, b in zip(before, now, strict=True))
    medians = f'{statistics.median(before):.1f} before, {statistics.median(now):.1f} now'
    Console().print(f'ms a tile: {medians}; ratios {ratios}', highlight=False)


if __name__ == '__main__':
    main()
