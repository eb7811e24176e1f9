"""Simulated Landslide4Sense tiles, for demo, tests and benchmarks without the real ones.

The tiles have the real files' layout, bands, units and rounding, and about their statistics. They
are made to be learnt from, not to stand in for real data: a score on them says that the chain
works, nothing about landslides.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmlandslide import __version__, files, rng
from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.datasets.simulation.landcover import abundances, sensed
from mmlandslide.datasets.simulation.scars import num_scars, scars
from mmlandslide.datasets.simulation.terrain import Grid, terrain
from mmlandslide.errors import DatasetError

#: Folder of each split in the published layout.
FOLDERS = {'train': 'TrainData', 'validation': 'ValidData', 'test': 'TestData'}

#: Share of the real training tiles that hold no landslide.
EMPTY_SHARE = 0.41

_DIVISORS = np.asarray([BANDS[name].divisor for name in LANDSLIDE4SENSE])
_POOL_FROM_TILES = 64
# Sentinel-2's own pixels are 20 m in B5 B6 B7 B11 B12 and 60 m in B1 B9 B10.
_BANDS_20M, _BANDS_60M = (4, 5, 6, 10, 11), (0, 8, 9)


def simulate_tile(
    seed: int, tile_id: str, size_px: int = 128
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Simulate one tile, a pure function of the arguments.

    Args:
        seed: names the data set.
        tile_id: names the tile in it, such as `train/1`.
        size_px: height and width.

    Returns:
        Image (H, W, 14), float64, bands in the order of `LANDSLIDE4SENSE` in stored units (whole
        raw values / divisor, so that `round(image * divisor) / divisor` is the image bit for bit),
        and mask (H, W), uint8, 1 = landslide.
    """
    raw, mask = simulate(rng.generator(seed, 'synth', tile_id), (size_px, size_px))
    return raw.transpose(1, 2, 0) / _DIVISORS, mask


def simulate(
    draws: np.random.Generator, size_hw: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Simulate a scene of any size, 10 m a pixel.

    Args:
        draws: where the draws come from.
        size_hw: height and width in pixels, at least 16.

    Returns:
        Raw values (14, H, W), uint16: reflectance in 1e-4, slope in whole degrees, elevation in
        whole metres; and the mask (H, W), uint8, 1 = landslide. 41 % of the scenes hold none.
    """
    empty = draws.random() < EMPTY_SHARE
    # Ground without landslides is partly as steep as ground with them.
    steep = not empty or draws.random() < 0.55
    ground = terrain(
        draws, size_hw, mean_slope_deg=draws.uniform(20, 37) if steep else draws.uniform(3, 20)
    )
    found = scars(draws, ground, 0 if empty else num_scars(draws, size_hw[0] * size_hw[1]))
    reflectance = _sampled(draws, sensed(draws, ground, abundances(draws, ground, found.cover)))
    raw = np.concatenate([reflectance, ground.slope_deg[None], ground.dem_m[None]])
    return np.clip(np.rint(raw), 0, 65535).astype(np.uint16), found.mask


def _sampled(draws: np.random.Generator, radiance: Grid) -> Grid:
    """Return what the sensor makes of each band.

    Noise, and the coarser pixels of the 20 m and 60 m bands, resampled to 10 m.
    """
    noise = draws.standard_normal(radiance.shape, dtype=np.float32)
    for band, seen in enumerate(radiance):
        seen += noise[band] * (np.float32(0.012) * seen + np.float32(0.3 if band == 9 else 5.0))
        if band in _BANDS_20M:
            radiance[band] = ndimage.uniform_filter(seen, 2)
        elif band in _BANDS_60M:
            radiance[band] = ndimage.uniform_filter(ndimage.uniform_filter(seen, 6), 5)
    return radiance


def write_dataset(
    out: Path,
    counts: Mapping[str, int],
    seed: int,
    progress: Callable[[int], None] | None = None,
    num_workers: int | None = None,
) -> None:
    """Write simulated tiles as the official Landslide4Sense files.

    `TrainData/img/image_N.h5`, `TrainData/mask/mask_N.h5`, ... Tile N of a split is
    `simulate_tile(seed, f'{split}/{N}')`, N from 1, whatever the number of workers. `README.txt` is
    written last, so a folder without it is not complete.

    Args:
        out: data root, made if absent.
        counts: number of tiles for each of `train`, `validation` and `test`; a split left out or 0
            is not written.
        seed: names the data set.
        progress: called with the number of tiles written so far.
        num_workers: processes; `None` takes one a core, and the calling process alone for few
            tiles.

    Raises:
        DatasetError: `out` already holds a split, a count is negative or a split is unknown.
        OSError: the disk is full, or nobody may write there; no split that was begun stays.
    """
    _check(out, counts)
    jobs = [
        (out, split, number, seed)
        for split in FOLDERS
        for number in range(1, counts.get(split, 0) + 1)
    ]
    if num_workers is None:
        num_workers = (os.cpu_count() or 1) if len(jobs) > _POOL_FROM_TILES else 1
    with _whole_or_gone(out) as begun:
        for split in FOLDERS:
            if counts.get(split, 0):
                _begin(out / FOLDERS[split], begun)
        for num_done, _ in enumerate(_written(jobs, num_workers), 1):
            if progress is not None:
                progress(num_done)
        held = ', '.join(f'{counts.get(split, 0)} {split}' for split in FOLDERS)
        files.write_atomic(
            out / 'README.txt',
            f'Simulated tiles, not real ones: {held}.\n'
            f'Written by mmlandslide {__version__} with seed {seed}.\n',
        )


@contextmanager
def _whole_or_gone(out: Path) -> Iterator[list[Path]]:
    """Remove the splits that a block has begun, where it fails or is stopped; yield their list."""
    was_there = out.exists()
    begun: list[Path] = []
    try:
        yield begun
    except BaseException:
        for folder in begun:
            shutil.rmtree(folder, ignore_errors=True)
        if not was_there:
            with suppress(OSError):
                out.rmdir()
        raise


def _begin(folder: Path, begun: list[Path]) -> None:
    """Make the folders of a split that nobody else writes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise _taken([folder.name], folder.parent) from error
    begun.append(folder)
    for kind in ('img', 'mask'):
        (folder / kind).mkdir()


def _taken(folders: list[str], out: Path) -> Exception:
    remedy = 'Name another folder, or remove those first'
    return DatasetError.mismatch('output folder', 'hold no tiles yet', folders, out, remedy)


def _check(out: Path, counts: Mapping[str, int]) -> None:
    unknown = {split: count for split, count in counts.items() if split not in FOLDERS or count < 0}
    if unknown:
        raise DatasetError.mismatch(
            'counts',
            f'be 0 or more for splits among {list(FOLDERS)}',
            unknown,
            'the request',
            'Correct those numbers of tiles',
        )
    taken = [folder for folder in FOLDERS.values() if (out / folder).exists()]
    if taken:
        raise _taken(taken, out)


def _written(jobs: list[tuple[Path, str, int, int]], num_workers: int) -> Iterator[None]:
    """Write every job, yielding once for each that is done."""
    if num_workers <= 1:
        yield from map(_write_tile, jobs)
        return
    with ProcessPoolExecutor(min(num_workers, os.cpu_count() or 1)) as pool:
        yield from pool.map(_write_tile, jobs, chunksize=8)


def _write_tile(job: tuple[Path, str, int, int]) -> None:
    out, split, number, seed = job
    image, mask = simulate_tile(seed, f'{split}/{number}')
    folder = out / FOLDERS[split]
    _write_array(folder / 'img' / f'image_{number}.h5', 'img', image)
    _write_array(folder / 'mask' / f'mask_{number}.h5', 'mask', mask)


def _write_array(path: Path, key: str, array: NDArray[np.generic]) -> None:
    """Write one HDF5 data set under a temporary name and rename it once it is whole."""
    partial = path.with_name(f'.{path.name}.partial')
    try:
        with h5py.File(partial, 'w') as file:
            file.create_dataset(key, data=array)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
