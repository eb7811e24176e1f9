"""The index of a packed tile store: what it says of each tile, parsed and checked.

The index is JSON after the tiles; a trailer of magic, length and digest closes the file.
"""

import hashlib
import json
import math
import operator
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide.errors import TileError

MAGIC, VERSION, ALIGN = b'MMLTILES', 1, 64
TRAILER = struct.Struct('<8sQ16s')
REBUILD = 'Delete it; `mmlandslide prepare` or the next training writes it anew'
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Entry:
    """What the index says of one tile.

    Attributes:
        tile_id: of the tile.
        offset: of its first byte in the file.
        dtype: as stored, `<u2` (uint16, lossless) or `<f4`.
        source_dtype: as read, such as `float64`.
        shape: (C, H, W).
        digest: of the stored bands; equal for tiles of equal content.
        mask_digest: of the stored mask; `None` where the tile has none.
        positive_px: landslide pixels; 0 where the tile has no mask.
        boxes: name of a rule -> (N, 4) xyxy.
    """

    tile_id: str
    offset: int
    dtype: str
    source_dtype: str
    shape: tuple[int, int, int]
    digest: str
    mask_digest: str | None
    positive_px: int
    boxes: dict[str, list[list[float]]]

    @property
    def image_bytes(self) -> int:
        """Return the length of the bands."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def mask_bytes(self) -> int:
        """Return the length of the mask, which follows the bands."""
        return 0 if self.mask_digest is None else -(-self.shape[1] * self.shape[2] // 8)


def signed(text: bytes) -> bytes:
    """Return an index with the trailer that closes its file."""
    return text + TRAILER.pack(MAGIC, len(text), _digest(text))


def parsed(content: Any, path: Path) -> tuple[dict[str, Any], dict[str, Entry]]:
    """Return the header of a store and its entries by tile id, all checked.

    Args:
        content: bytes of the whole file, as a map of it.
        path: of the file, for the error.

    Raises:
        TileError: cut off, changed, of another version, or not what this package wrote.
    """
    if len(content) < TRAILER.size:
        raise TileError.mismatch('tile store', 'be whole', f'{len(content)} bytes', path, REBUILD)
    magic, length, digest = TRAILER.unpack(content[-TRAILER.size :])
    end = len(content) - TRAILER.size
    text = content[max(end - length, 0) : end]
    if magic != MAGIC or _digest(text) != digest:
        raise TileError.mismatch('tile store', 'be whole', 'a broken index', path, REBUILD)
    try:
        header: dict[str, Any] = json.loads(text)
        if header['version'] != VERSION:
            raise TileError.mismatch(
                'tile store', f'have version {VERSION}', header['version'], path, REBUILD
            )
        _check(header)
        return header, _entries(header, end - length, path)
    except TileError:
        raise
    except _MALFORMED as error:
        expected = 'have an index that this package wrote'
        raise TileError.mismatch('tile store', expected, repr(error), path, REBUILD) from error


def _check(header: Mapping[str, Any]) -> None:
    """Raise a ValueError, KeyError or TypeError unless the header has all its fields."""
    bands, divisors = header['bands'], header['divisors']
    if (
        not isinstance(bands, list)
        or not all(isinstance(band, str) for band in bands)
        or len(bands) != len(divisors)
    ):
        raise ValueError(f'bands {bands!r} with divisors {divisors!r}')
    if not all(2**-53 < divisor < 2**53 for divisor in divisors):
        raise ValueError(f'divisors {divisors!r}')
    if not isinstance(header['fingerprint'], str) or not isinstance(header['rules'], dict):
        raise TypeError('a fingerprint or rules of another type')


def _entries(header: Mapping[str, Any], data_end: int, path: Path) -> dict[str, Entry]:
    """Return the index's entries, each checked to lie within the data."""
    entries = {
        row['tile_id']: Entry(**{**row, 'shape': tuple(row['shape'])}) for row in header['tiles']
    }
    for entry in entries.values():
        _check_entry(entry, header)
        end = entry.offset + entry.image_bytes + entry.mask_bytes
        if end > data_end or entry.dtype not in ('<u2', '<f4'):
            raise TileError.mismatch(
                f'tile {entry.tile_id}',
                f'lie within {data_end} bytes',
                f'its end at {end}',
                path,
                REBUILD,
            )
    return entries


def _check_entry(entry: Entry, header: Mapping[str, Any]) -> None:
    """Raise a ValueError or TypeError unless an entry is one that this package writes."""
    bands, height, width = map(operator.index, entry.shape)
    if (
        not isinstance(entry.tile_id, str)
        or bands != len(header['bands'])
        or min(height, width, operator.index(entry.offset)) < 0
    ):
        raise ValueError(f'tile {entry.tile_id!r} of shape {entry.shape} at {entry.offset}')
    if not isinstance(entry.mask_digest, str | None) or operator.index(entry.positive_px) < 0:
        raise ValueError(f'a mask {entry.mask_digest!r} of {entry.positive_px} px')
    if entry.boxes.keys() != header['rules'].keys():
        raise ValueError(f'boxes by the rules {list(entry.boxes)}')
    for boxes in entry.boxes.values():
        if not np.isfinite(np.asarray(boxes, np.float32).reshape(-1, 4)).all():
            raise ValueError('boxes that are not finite')


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()
