"""Builds packed tile stores.

One memory-mapped file for one list of tiles, made on first use by one process, under a lock. A
Landslide4Sense value is a whole number divided by a fixed divisor, so `round(value * divisor)` in
uint16 brings it back bit for bit at a quarter of the size. That is checked for every tile; a tile
for which it does not hold is kept as float32. A store is written beside its name and renamed, so
that it is either whole or absent.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from filelock import FileLock

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.bands import divisors as divisors_of
from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.storage import quarantine, tiles
from mmlandslide.datasets.storage.index import (
    TileRef,
    find_tiles,
    pair,
    require_inside,
    split_named,
    stamp,
)
from mmlandslide.datasets.storage.store_file import (
    ALIGN,
    MAGIC,
    TRAILER,
    VERSION,
    Entry,
    TileStore,
    digest_of,
)
from mmlandslide.errors import DatasetError, LandslideError, MissingPathError, TileError

__all__ = [
    'Entry',
    'PackedTile',
    'StoreWriter',
    'TileStore',
    'divisors_of',
    'ensure',
    'ensure_store',
    'store_folder',
]

SUFFIX = '.tiles'


@dataclass(frozen=True)
class PackedTile:
    """One tile as it goes into a store.

    Attributes:
        entry: of the index, offset still 0.
        image: bytes of the bands.
        mask: bytes of the mask, none where it is not labelled.
        source: state of its files just before they were read, for the fingerprint.
    """

    entry: Entry
    image: bytes
    mask: bytes
    source: bytes


class StoreWriter:
    """Writes a store beside its name; only `commit` puts it in place.

    Args:
        path: where the store shall stand.
        bands: names of the bands, in order.
        divisors: one a band.
    """

    def __init__(self, path: Path, bands: Sequence[str], divisors: Sequence[float]) -> None:
        self.path, self._part = path, path.with_name(f'{path.name}.{os.getpid()}.part')
        self._header = {
            'version': VERSION,
            'bands': list(bands),
            'divisors': list(divisors),
            'rules': _rules(),
        }
        self._entries: list[dict[str, Any]] = []
        self._fingerprint = _new_fingerprint(bands, divisors)
        for left_over in path.parent.glob(f'{path.name}.*.part'):
            left_over.unlink()
        self._file = self._part.open('wb')

    def __enter__(self) -> 'StoreWriter':
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, and remove what was not committed."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, tile: PackedTile) -> None:
        """Append one tile.

        Raises:
            DatasetError: the disk is full or the file cannot be written.
        """
        self._entries.append({**asdict(tile.entry), 'offset': self._file.tell()})
        self._fingerprint.update(tile.source)
        length = len(tile.image) + len(tile.mask)
        self._write(tile.image, tile.mask, bytes(-length % ALIGN))

    def commit(self) -> TileStore:
        """Write the index, rename the file into place and return the open store."""
        index = {
            **self._header,
            'fingerprint': self._fingerprint.hexdigest(),
            'tiles': self._entries,
        }
        text = json.dumps(index, separators=(',', ':')).encode()
        self._write(
            text, TRAILER.pack(MAGIC, len(text), hashlib.blake2b(text, digest_size=16).digest())
        )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.replace(self.path)
        return TileStore.open(self.path)

    def _write(self, *parts: bytes) -> None:
        try:
            self._file.writelines(parts)
        except OSError as error:
            raise DatasetError.mismatch(
                'tile store',
                'be writable',
                repr(error.strerror),
                self._part,
                'Free space there, or name a folder in MMLANDSLIDE_CACHE',
            ) from error


def pack(ref: TileRef, bands: Sequence[str], divisors: Sequence[float]) -> PackedTile:
    """Read, check and pack one tile.

    Args:
        ref: where it lies.
        bands: names in the order of its file.
        divisors: one a band.

    Raises:
        TileError: as in `tiles.read_image` and `tiles.read_mask`.
        MissingPathError: a file is not there.
    """
    source = state(ref)
    image = tiles.read_image(ref.image_path, bands)
    mask = (
        None if ref.mask_path is None else tiles.read_mask(ref.mask_path, shape_hw=image.shape[1:])
    )
    return packed(ref.tile_id, image, mask, divisors, source)


def packed(
    tile_id: str,
    image: np.ndarray,
    mask: np.ndarray | None,
    divisors: Sequence[float],
    source: bytes,
) -> PackedTile:
    """Pack what was read of one tile.

    Args:
        tile_id: of the tile.
        image: (C, H, W) float.
        mask: (H, W) uint8, 1 = landslide; `None` where it is not labelled.
        divisors: one a band.
        source: `state` of its files just before they were read.
    """
    stored = np.ascontiguousarray(_pack_values(image, divisors))
    image_bytes, mask_bytes = stored.tobytes(), b'' if mask is None else np.packbits(mask).tobytes()
    entry = Entry(
        tile_id=tile_id,
        offset=0,
        dtype=stored.dtype.str,
        source_dtype=image.dtype.name,
        shape=stored.shape,
        digest=digest_of(image_bytes),
        mask_digest=None if mask is None else digest_of(mask_bytes),
        positive_px=0 if mask is None else int(mask.sum()),
        boxes={
            name: [] if mask is None else boxes_from_mask(mask, rule).tolist()
            for name, rule in RULES.items()
        },
    )
    return PackedTile(entry, image_bytes, mask_bytes, source)


def pack_all(
    refs: Iterable[TileRef], bands: Sequence[str], divisors: Sequence[float]
) -> Iterator[PackedTile | LandslideError]:
    """Pack tiles in threads and yield them in order, an error in the place of a faulty one.

    A few tiles are in memory at a time.
    """

    def attempt(ref: TileRef) -> PackedTile | LandslideError:
        try:
            return pack(ref, bands, divisors)
        except LandslideError as error:
            return error

    with ThreadPoolExecutor(
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    ) as pool:
        yield from _in_order(pool, attempt, refs, ahead=32)


def fingerprint(refs: Iterable[TileRef], bands: Sequence[str], divisors: Sequence[float]) -> str:
    """Return a digest of the tiles' ids, file names, sizes and times of change, with bands, divisors, box rules and format."""
    digest = _new_fingerprint(bands, divisors)
    for ref in refs:
        digest.update(state(ref))
    return digest.hexdigest()


def fresh(path: Path, expected_fingerprint: str) -> TileStore | None:
    """Return the store at `path` where it was built from the same files and every byte is as it was written, else `None`.

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


def ensure(refs: Sequence[TileRef], bands: Sequence[str], folder: Path, name: str) -> TileStore:
    """Return the store of some tiles; build it first where it is absent or older than them.

    One process builds, under a lock; the others wait for it.

    Args:
        refs: the tiles, in order.
        bands: names in the order of their files.
        folder: to keep the store in, made where it is not there.
        name: of the store among others in that folder.

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
        return fresh(path, wanted) or _build(path, refs, bands, divisors)


def ensure_store(data_root: Path, split: str, bands: Sequence[str] = LANDSLIDE4SENSE) -> TileStore:
    """Return the store of one split of a Landslide4Sense folder; build it first where needed.

    Args:
        data_root: folder in either published layout.
        split: name or alias of the split.
        bands: names in the order of its files.

    Raises:
        MissingPathError: no data there.
        DatasetError: no tile, a faulty pairing, or nowhere to write.
        TileError: the first faulty tile's; tiles that `prepare --quarantine` put aside are left
            out.
    """
    refs = usable_tiles(data_root, split)
    divisors = divisors_of(bands)
    for folder in store_folders(data_root):
        store = fresh(folder / f'{split_named(split)}{SUFFIX}', fingerprint(refs, bands, divisors))
        if store is not None:
            return store
    return ensure(refs, bands, store_folder(data_root), split_named(split))


def usable_tiles(data_root: Path, split: str) -> list[TileRef]:
    """Return the tiles of a split without the quarantined ones; errors as in `index.find_tiles`."""
    pairing = pair(data_root, split)
    return find_tiles(
        data_root, split, leave_out=quarantine.left_out(store_folders(data_root), pairing)
    )


def store_folders(data_root: Path) -> tuple[Path, Path]:
    """Return the folders where a data root's stores may be: inside it, or the user's cache.

    The cache is `MMLANDSLIDE_CACHE`, or `~/.cache/mmlandslide`, with one folder a data root.
    """
    cache = Path(os.environ.get('MMLANDSLIDE_CACHE') or Path.home() / '.cache' / 'mmlandslide')
    key = hashlib.blake2b(str(data_root.resolve()).encode(), digest_size=8).hexdigest()
    return data_root / '.mmlandslide', cache / key


def store_folder(data_root: Path) -> Path:
    """Return the first of `store_folders` that can be written, made where it is not there.

    Raises:
        DatasetError: neither can.
    """
    folders = store_folders(data_root)
    for folder in folders:
        if writable(folder):
            return folder
    raise DatasetError.mismatch(
        'store folder',
        'be writable',
        'read-only ones',
        ' and '.join(map(str, folders)),
        'Name another in MMLANDSLIDE_CACHE',
    )


def locked(folder: Path) -> FileLock:
    """Return the lock under which stores are written in a folder, which is made first.

    Raises:
        DatasetError: the folder cannot be made or written.
    """
    if not writable(folder):
        raise DatasetError.mismatch(
            'store folder',
            'be writable',
            'a read-only one',
            folder,
            'Name another in MMLANDSLIDE_CACHE',
        )
    return FileLock(folder / 'store.lock')


def writable(folder: Path) -> bool:
    """Make a folder where it is not there; return whether files can be written in it.

    A link that leads out of the data set, which may be a stranger's, is not followed unless
    `index.require_inside` allows it.
    """
    try:
        require_inside(folder.parent, folder)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, DatasetError):
        return False
    return os.access(folder, os.W_OK)


def _build(
    path: Path, refs: Sequence[TileRef], bands: Sequence[str], divisors: Sequence[float]
) -> TileStore:
    with StoreWriter(path, bands, divisors) as writer:
        for tile in pack_all(refs, bands, divisors):
            if isinstance(tile, LandslideError):
                raise tile
            writer.add(tile)
        return writer.commit()


def _new_fingerprint(bands: Sequence[str], divisors: Sequence[float]) -> 'hashlib.blake2b':
    return hashlib.blake2b(
        json.dumps([VERSION, list(bands), list(divisors), _rules()]).encode(), digest_size=16
    )


def _rules() -> dict[str, dict[str, Any]]:
    return {name: asdict(rule) for name, rule in RULES.items()}


def state(ref: TileRef) -> bytes:
    """Return name, size and time of change of a tile's files, for the fingerprint."""
    return json.dumps([ref.tile_id, stamp(ref.image_path), stamp(ref.mask_path)]).encode()


def _pack_values(image: np.ndarray, divisors: Sequence[float]) -> np.ndarray:
    """Return the image as uint16 where that brings every value back bit for bit, else as float32."""
    divisor = np.asarray(divisors, np.float64)[:, None, None]
    raw = np.rint(image * divisor)
    inside = raw.min() >= 0 and raw.max() <= np.iinfo(np.uint16).max
    if inside and np.array_equal((raw / divisor).astype(image.dtype), image):
        return raw.astype('<u2')
    return image.astype('<f4')


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any], ahead: int
) -> Iterator[Any]:
    """Yield `work(item)` in order, with at most `ahead` results waiting."""
    pending: deque[Any] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
