"""The packed store of a list of tiles, built on first use by one process, under a lock."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.bands import divisors as divisors_of
from mmlandslide.datasets.storage import quarantine
from mmlandslide.datasets.storage.index import TileRef, ignored_text, pair, sound_tiles, split_named
from mmlandslide.datasets.storage.packed_tile import pack_all
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.storage.store_folder import locked, store_folder, store_folders
from mmlandslide.datasets.storage.store_writer import StoreWriter, fingerprint
from mmlandslide.errors import LandslideError, MissingPathError, TileError

SUFFIX = '.tiles'


def fresh(path: Path, expected_fingerprint: str) -> TileStore | None:
    """Return the store at `path` if it was built from the same files and is whole, else `None`.

    This is where checksums are verified: once a process, when it takes a store up, and never at a
    read. About a second a gigabyte; it leaves the tiles in the page cache, where the first epoch
    wants them.
    """
    try:
        store = TileStore.open(path)
        if store.fingerprint != expected_fingerprint:
            return None
        store.verify()
    except (TileError, MissingPathError):
        return None
    return store


def ensure(
    refs: Sequence[TileRef],
    bands: Sequence[str],
    folder: Path,
    name: str,
    nodata: Mapping[str, float] = MappingProxyType({}),
) -> TileStore:
    """Return the store of some tiles; build it first where it is absent or older than them.

    One process builds, under a lock; the others wait for it.

    Args:
        refs: the tiles, in order.
        bands: names in the order of their files.
        folder: to keep the store in, made where it is not there.
        name: of the store among others in that folder; another for other `nodata`.
        nodata: band -> value that means no data there.

    Raises:
        TileError: the first faulty tile's.
        DatasetError: the folder cannot be written.
        MissingPathError: a file is not there.
    """
    divisors, path = divisors_of(bands), folder / f'{name}{SUFFIX}'
    wanted = fingerprint(refs, bands, divisors)
    store = fresh(path, wanted)
    if store is not None:
        return store
    with locked(folder):
        return fresh(path, wanted) or _build(path, refs, bands, nodata)


def ensure_split(
    data_root: Path, split: str, bands: Sequence[str] = LANDSLIDE4SENSE
) -> tuple[TileStore, list[TileRef]]:
    """Return the store of one split of a Landslide4Sense folder, built first where needed.

    Args:
        data_root: folder in either published layout.
        split: name or alias of the split.
        bands: names in the order of its files.

    Returns:
        The store and the tiles in it, in the order of their numbers; those that `prepare
        --quarantine` put aside are left out.

    Raises:
        MissingPathError: no data there.
        DatasetError: no tile, a faulty pairing, or nowhere to write.
        TileError: the first faulty tile's.
    """
    pairing, folders = pair(data_root, split), store_folders(data_root)
    if pairing.ignored:
        logging.getLogger('mmlandslide').warning(
            'Split %s of %s: no tile is read from %s',
            split,
            data_root,
            ignored_text(pairing.ignored),
        )
    left_out = quarantine.left_out(folders, pairing)
    refs = sound_tiles(pairing, data_root, split, left_out)
    wanted, name = fingerprint(refs, bands, divisors_of(bands)), split_named(split)
    for folder in folders:
        store = fresh(folder / f'{name}{SUFFIX}', wanted)
        if store is not None:
            return store, refs
    return ensure(refs, bands, store_folder(data_root), name), refs


def ensure_store(data_root: Path, split: str, bands: Sequence[str] = LANDSLIDE4SENSE) -> TileStore:
    """Return the store alone; arguments and errors as in `ensure_split`."""
    return ensure_split(data_root, split, bands)[0]


def _build(
    path: Path, refs: Sequence[TileRef], bands: Sequence[str], nodata: Mapping[str, float]
) -> TileStore:
    divisors = divisors_of(bands)
    faults: list[LandslideError] = []
    with StoreWriter(path, bands, divisors) as writer:
        for tile in pack_all(refs, bands, divisors, nodata):
            if isinstance(tile, LandslideError):
                faults.append(tile)
            elif not faults:
                writer.add(tile)
        if faults:
            raise first_of(faults)
        return writer.commit()


def first_of(faults: Sequence[LandslideError]) -> LandslideError:
    """Return the first error, which also says how many files are faulty and what lists them all."""
    if len(faults) == 1:
        return faults[0]
    command = '`mmlandslide prepare` (--masks, --voc, --coco, --yolo or --labelme PATH) lists all'
    return type(faults[0])(f'{faults[0]} {len(faults)} files are faulty; {command}.')
