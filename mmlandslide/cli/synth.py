"""`mmlandslide synth`: write a simulated data set."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress


@click.command('synth')
@click.option(
    '--out',
    type=click.Path(path_type=Path),
    default=Path('data/landslide4sense'),
    show_default=True,
)
@click.option(
    '--train',
    type=click.IntRange(0),
    default=64,
    show_default=True,
    help='Number of training tiles.',
)
@click.option(
    '--val',
    type=click.IntRange(0),
    default=16,
    show_default=True,
    help='Number of validation tiles.',
)
@click.option(
    '--test', type=click.IntRange(0), default=16, show_default=True, help='Number of test tiles.'
)
@click.option(
    '--seed',
    type=int,
    default=0,
    show_default=True,
    help='Names the data set; the same seed gives the same tiles.',
)
def command(out: Path, train: int, val: int, test: int, seed: int) -> None:
    """Write simulated tiles shaped like Landslide4Sense: 128 x 128 px, 14 bands, HDF5, with masks.

    Example: mmlandslide synth --out data/landslide4sense --train 64 --val 16 --test 16 --seed 0
    """
    from mmlandslide.datasets.simulation.synthetic import write_dataset

    counts = {'train': train, 'validation': val, 'test': test}
    console = Console(stderr=True)
    with Progress(console=console) as bar:
        task = bar.add_task('simulating tiles', total=sum(counts.values()))
        write_dataset(out, counts, seed, lambda done: bar.update(task, completed=done))
    console.print(
        f'{sum(counts.values())} simulated tiles in {out}',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
