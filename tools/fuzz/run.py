"""Feed the package's readers mutated files, in child processes.

What is neither accepted nor refused by a typed error is a defect. Example: python tools/fuzz/run.py
--inputs 100000 --seed 0 --out work_dirs/fuzz
"""

import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from random import Random

import click
from attempts import Outcome, outcomes
from mutations import mutated
from readers import READERS, Reader
from rich.console import Console
from rich.table import Table
from seeds import seeds_of
from shrinking import shrunk

from mmlandslide.datasets.checks.isolation import Readers
from mmlandslide.rng import key

MEMORY = Path('/dev/shm')
#: What a child may take for one input, and map beyond what it starts with.
SECONDS, BYTES = 60.0, 2 * 2**30
#: Slow to import: a server does it once, so that a child that follows a dead one starts in no time.
PRELOADED = [
    'mmlandslide.datasets.views.masks',
    'mmlandslide.datasets.views.voc',
    'mmlandslide.files',
    'safetensors.torch',
    'rich.table',
]


@dataclass
class Tally:
    """What became of a reader's inputs; for each sort of defect the first input."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    defects: dict[str, tuple[bytes, Outcome]] = field(default_factory=dict)
    peak_bytes: int = 0
    seconds: float = 0.0

    def add(self, content: bytes, outcome: Outcome) -> None:
        """Count one outcome."""
        self.counts[outcome.kind] += 1
        self.peak_bytes = max(self.peak_bytes, outcome.peak_bytes)
        if outcome.kind == 'defect':
            self.defects.setdefault(outcome.signature, (content, outcome))


def input_of(reader: Reader, seed: int, index: int) -> bytes:
    """Return an input, a pure function of reader, seed and index."""
    return mutated(
        seeds_of(reader.name), reader.edit, reader.tokens, Random(key(seed, reader.name, index))
    )


def tallied(children: Readers, reader: Reader, count: int, seed: int, folder: Path) -> Tally:
    """Feed one reader."""
    tally, start = Tally(reader.name), time.perf_counter()
    waiting: list[bytes] = []  # those that a child has not answered yet

    def drawn(index: int) -> bytes:
        waiting.append(input_of(reader, seed, index))
        return waiting[-1]

    for outcome in outcomes(children, reader.name, map(drawn, range(count)), folder):
        tally.add(waiting.pop(0), outcome)
    tally.seconds = time.perf_counter() - start
    return tally


@click.command(
    epilog='Example: python tools/fuzz/run.py --inputs 10000 --seed 1 --reader image.h5 --out work_dirs/fuzz'
)
@click.option(
    '--inputs', default=10000, show_default=True, help='In all, shared out among the readers.'
)
@click.option('--seed', default=0, show_default=True)
@click.option(
    '--reader',
    'names',
    multiple=True,
    type=click.Choice([reader.name for reader in READERS]),
    help='These alone.',
)
@click.option(
    '--out',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder for a small input of each sort of defect.',
)
def main(inputs: int, seed: int, names: tuple[str, ...], out: Path | None) -> None:
    """Print what became of the inputs, by reader; exit with 1 where there is a defect."""
    chosen = [reader for reader in READERS if not names or reader.name in names]
    total, console = sum(reader.share for reader in chosen), Console(width=120)
    table = Table('reader', 'inputs', 'accepted', 'refused', 'defects', 'peak MiB', 'seconds')
    found: list[str] = []
    multiprocessing.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name,
        Readers(SECONDS, BYTES, 1) as children,
    ):
        for reader in chosen:
            click.echo(f'{time.strftime("%H:%M:%S")} {reader.name}', err=True)
            tally = tallied(children, reader, -(-inputs * reader.share // total), seed, Path(name))
            counts = (
                tally.counts.total(),
                *(tally.counts[kind] for kind in ('accepted', 'refused', 'defect')),
            )
            table.add_row(
                reader.name,
                *map(str, counts),
                f'{tally.peak_bytes / 2**20:.0f}',
                f'{tally.seconds:.1f}',
            )
            for number, (content, outcome) in enumerate(tally.defects.values()):
                found.append(f'{reader.name}-{number}: {outcome.detail}')
                if out:
                    out.mkdir(parents=True, exist_ok=True)
                    dead = outcome.detail.startswith('died')  # each try would cost a child
                    small = (
                        content
                        if dead
                        else shrunk(children, reader.name, content, outcome, Path(name))
                    )
                    (out / f'{reader.name}-{number}.bin').write_bytes(small)
    console.print(table)
    console.print('\n'.join(found), markup=False, highlight=False)
    if found:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
