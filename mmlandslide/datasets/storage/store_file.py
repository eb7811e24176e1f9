"""The packed tile store's file, read.

File: tiles, each aligned to `store_index.ALIGN` bytes (bands, then the mask at one bit per pixel);
the index; a trailer. Bands are uint16 (stored value = uint16 / divisor) or float32.
`packed_tile.py` decides which, `store_writer.py` writes.
"""

import hashlib
import mmap
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide.datasets.boxes import BoxRule, boxes_from_mask
from mmlandslide.datasets.storage.store_index import REBUILD, Entry, parsed
from mmlandslide.errors import DatasetError, MissingPathError, TileError


class TileStore:
    """Reads a packed store. Cheap to pickle.

    A worker process opens the file again when it first reads.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._opened: tuple[mmap.mmap, dict[str, Any], dict[str, Entry]] | None = None

    @classmethod
    def open(cls, path: Path) -> 'TileStore':
        """Open a store and check that it is whole.

        Raises:
            MissingPathError: no such file.
            TileError: cut off, changed or of another version.
        """
        store = cls(path)
        store._open()
        return store

    def __getstate__(self) -> dict[str, Any]:
        """Leave the map behind: it belongs to this process."""
        return {'path': self.path, '_opened': None}

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self._entries)

    def __contains__(self, tile_id: str) -> bool:
        """Return whether the store holds a tile."""
        return tile_id in self._entries

    @property
    def ids(self) -> list[str]:
        """Return the tile ids in the order they were packed."""
        return list(self._entries)

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the names of the stored bands, in order."""
        return tuple(self._header['bands'])

    @property
    def divisors(self) -> tuple[float, ...]:
        """Return each band's divisor: stored value = uint16 / divisor."""
        return tuple(self._header['divisors'])

    @property
    def fingerprint(self) -> str:
        """Return the digest of what the store was built from."""
        return str(self._header['fingerprint'])

    def entry(self, tile_id: str) -> Entry:
        """Return what the index says of a tile.

        Raises:
            DatasetError: no such tile.
        """
        if tile_id not in self._entries:
            raise DatasetError.mismatch(
                'tile id', 'be in the store', repr(tile_id), self.path, 'Name one of its ids'
            )
        return self._entries[tile_id]

    def raw(self, tile_id: str, positions: Sequence[int] | None = None) -> np.ndarray:
        """Return bands of a tile as stored.

        Args:
            tile_id: of the tile.
            positions: of the bands asked for among `bands`; `None` for all.

        Returns:
            (C, H, W) uint16 (see `in_units`) or float32, read-only: the file's own memory, without
            a copy. Only positions that are not evenly spaced, such as 7, 3, 2, need one.
        """
        entry = self.entry(tile_id)
        bands = np.ndarray(entry.shape, entry.dtype, self._map, entry.offset)
        return bands if positions is None else bands[_even(positions)]

    def read(self, tile_id: str, positions: Sequence[int] | None = None) -> np.ndarray:
        """Return bands of a tile in stored units.

        Args:
            tile_id: of the tile.
            positions: of the bands asked for among `bands`; `None` for all.

        Returns:
            (C, H, W) float32, equal to the source rounded to float32.
        """
        raw = self.raw(tile_id, positions)
        if raw.dtype != np.uint16:
            return raw.astype(np.float32)
        divisors = self._header['divisors']
        return in_units(
            raw,
            tuple(
                divisors if positions is None else [divisors[position] for position in positions]
            ),
        )

    def mask(self, tile_id: str) -> np.ndarray | None:
        """Return a tile's landslide mask, (H, W) uint8, 1 = landslide.

        `None` where it is not labelled.
        """
        entry = self.entry(tile_id)
        if entry.mask_digest is None:
            return None
        bits = np.frombuffer(
            self._map, np.uint8, entry.mask_bytes, entry.offset + entry.image_bytes
        )
        height, width = entry.shape[1:]
        return np.unpackbits(bits, count=height * width).reshape(height, width)

    def boxes(self, tile_id: str, rule: BoxRule) -> np.ndarray:
        """Return a tile's boxes, (N, 4) float32 xyxy in its own frame.

        None where it is not labelled.
        """
        entry = self.entry(tile_id)
        for name, stored in self._header['rules'].items():
            if stored == asdict(rule):
                return np.asarray(entry.boxes[name], np.float32).reshape(-1, 4)
        mask = self.mask(tile_id)
        return np.zeros((0, 4), np.float32) if mask is None else boxes_from_mask(mask, rule)

    def verify(self) -> None:
        """Check every tile against its checksum.

        Raises:
            TileError: a tile's bytes have changed since they were packed.
        """
        for entry in self._entries.values():
            middle, end = (
                entry.offset + entry.image_bytes,
                entry.offset + entry.image_bytes + entry.mask_bytes,
            )
            view = memoryview(self._map)
            found = digest_of(view[entry.offset : middle])
            found_mask = None if entry.mask_digest is None else digest_of(view[middle:end])
            if (found, found_mask) != (entry.digest, entry.mask_digest):
                raise TileError.mismatch(
                    f'tile {entry.tile_id}',
                    f'have the checksum {entry.digest}',
                    found,
                    self.path,
                    REBUILD,
                )

    @property
    def _map(self) -> mmap.mmap:
        return self._open()[0]

    @property
    def _header(self) -> dict[str, Any]:
        return self._open()[1]

    @property
    def _entries(self) -> dict[str, Entry]:
        return self._open()[2]

    def _open(self) -> tuple[mmap.mmap, dict[str, Any], dict[str, Entry]]:
        if self._opened is None:
            self._opened = _open(self.path)
        return self._opened


def in_units(raw: np.ndarray, divisors: tuple[float, ...]) -> np.ndarray:
    """Return stored whole numbers as the values that were packed.

    Args:
        raw: (C, H, W) uint16.
        divisors: one a band.

    Returns:
        (C, H, W) float32 in stored units, the source's bit for bit, in memory of its own.
    """
    operate, factors = _decoder(divisors)
    image = np.empty(raw.shape, np.float32)
    operate(raw, factors, out=image, casting='same_kind')
    return image


@lru_cache
def _decoder(divisors: tuple[float, ...]) -> tuple[np.ufunc, np.ndarray]:
    """Return how uint16 becomes the source's float32 bit for bit, with one factor (C, 1, 1) a band.

    That is a float64 division rounded once; float32 arithmetic misses a quarter of the values.
    Multiplication by the reciprocal is quicker and taken where it agrees for every uint16.
    """
    divisor = np.asarray(divisors)[:, None, None]
    codes = np.arange(2**16)
    agrees = np.array_equal(
        (codes * (1 / divisor)).astype(np.float32), (codes / divisor).astype(np.float32)
    )
    return (np.multiply, 1 / divisor) if agrees else (np.divide, divisor)


def _even(positions: Sequence[int]) -> slice | list[int]:
    """Return evenly spaced positions as a slice, of which NumPy gives a view and no copy."""
    first, step = positions[0], positions[1] - positions[0] if len(positions) > 1 else 1
    end = first + step * len(positions)
    if step == 0 or min(positions) < 0 or list(positions) != list(range(first, end, step)):
        return list(positions)
    return slice(first, end if end >= 0 else None, step)


def digest_of(content: bytes | memoryview) -> str:
    """Return the checksum that the index keeps of a tile's bands or mask."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _open(path: Path) -> tuple[mmap.mmap, dict[str, Any], dict[str, Entry]]:
    """Map a store and read its index."""
    if not path.is_file():
        raise MissingPathError.mismatch(
            'tile store',
            'exist',
            'no file',
            path,
            'Run `mmlandslide prepare` or a training, which write it',
        )
    with path.open('rb') as file:
        if not path.stat().st_size:
            raise TileError.mismatch('tile store', 'be whole', '0 bytes', path, REBUILD)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped, *parsed(mapped, path)
