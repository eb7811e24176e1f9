"""Time reading.

The packed store against HDF5, its raw bytes against memcpy, and tiles through a data loader. One thread, warm page cache, sides in turn: CPU time of the one process, wall time for the
loader's two workers. HDF5 and store end in the same normalised float32 (14, 128, 128): the script
stops where they differ by more than 1e-6 (1 + |value|).
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import h5py
import numpy as np
import torch
from mmengine.dataset import default_collate
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from mmlandslide.datasets.simulation.synthetic import write_dataset
from mmlandslide.datasets.storage.store import ensure_split
from mmlandslide.datasets.transforms.formatting import PackTile
from mmlandslide.datasets.views.landslide4sense import Landslide4SenseUnlabelledDataset
from mmlandslide.models.preprocessors import TilePreprocessor

PREPROCESSOR = TilePreprocessor('all')
MEAN, STD = PREPROCESSOR.mean.numpy(), PREPROCESSOR.std.numpy()


def from_hdf5(path: Path) -> np.ndarray:
    """Return a tile as the usual loader does: open, read, channels first, normalise."""
    with h5py.File(path) as file:
        return (file['img'][()].transpose(2, 0, 1).astype(np.float32) - MEAN) / STD


def normalised(tile: np.ndarray) -> np.ndarray:
    """Return a tile of the store as the preprocessor leaves it."""
    return PREPROCESSOR({'inputs': torch.from_numpy(tile)[None]})['inputs'][0].numpy()


def pass_seconds(
    work: Callable[..., object], items: Iterable[object], clock: Callable[[], float]
) -> float:
    """Return the seconds that all items take, each result dropped before the next is made, as in a training."""
    start = clock()
    for item in items:
        work(item)
    return clock() - start


@click.command(epilog='Example: python tools/benchmark/reading.py --tiles 256')
@click.option(
    '--tiles',
    default=256,
    show_default=True,
    help='Number of simulated tiles, made in a temporary folder.',
)
@click.option(
    '--passes', default=7, show_default=True, help='Counted passes of each side; one more warms up.'
)
def main(tiles: int, passes: int) -> None:
    """Print tiles a second of store, HDF5, memcpy and a data loader."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(root := Path(folder), {'train': tiles}, seed=0)
        store, refs = ensure_split(root, 'train')
        paths = [ref.image_path for ref in refs]
        for tile_id, path in zip(store.ids, paths, strict=True):
            np.testing.assert_allclose(
                normalised(store.read(tile_id)), from_hdf5(path), rtol=1e-6, atol=1e-6
            )
        sides: dict[str, tuple[Callable[..., object], Iterable[object], Callable[[], float]]] = {
            'HDF5, normalised': (from_hdf5, paths, time.process_time),
            'store, normalised': (
                lambda tile_id: normalised(store.read(tile_id)),
                store.ids,
                time.process_time,
            ),
            'memcpy': (
                lambda part: np.copyto(np.empty_like(part), part),
                list(map(store.raw, store.ids)),
                time.process_time,
            ),
            'store, raw uint16': (
                lambda tile_id: store.raw(tile_id).copy(),
                store.ids,
                time.process_time,
            ),
        }
        view = Landslide4SenseUnlabelledDataset(
            data_root=root, pipeline=[PackTile()], test_mode=True
        )
        loader = DataLoader(
            view, 32, num_workers=2, persistent_workers=True, collate_fn=default_collate
        )
        sides['loader, 2 workers'] = (PREPROCESSOR, loader, time.perf_counter)
        rounds = [
            {name: pass_seconds(*side) for name, side in sides.items()} for _ in range(passes + 1)
        ][1:]
    rates = {name: tiles / np.median([seconds[name] for seconds in rounds]) for name in sides}
    table = Table(
        'side', 'tiles/s', 'of the row above', title=f'{tiles} tiles, median of {passes} passes'
    )
    for (name, rate), before in zip(rates.items(), (0, *rates.values()), strict=False):
        table.add_row(
            name,
            f'{rate:.0f}',
            f'{rate / before:.2f} x' if name.startswith('store') else '',
        )
    Console().print(table)


if __name__ == '__main__':
    main()
