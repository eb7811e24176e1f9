"""One tile, packed as it goes into a store.

A Landslide4Sense value is a whole number divided by a fixed divisor, so `round(value * divisor)` in
uint16 brings it back bit for bit at a quarter of the size. That is checked for every tile; a tile
for which it does not hold is kept as float32.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.storage import tiles
from mmlandslide.datasets.storage.index import TileRef, stamp
from mmlandslide.datasets.storage.store_file import digest_of
from mmlandslide.datasets.storage.store_index import Entry
from mmlandslide.errors import LandslideError

#: Raised where files other than HDF5 are read otherwise, so that stores of them are built anew: 2
#: heeds what they say of their own pixels.
READING = 2


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


def pack(
    ref: TileRef,
    bands: Sequence[str],
    divisors: Sequence[float],
    nodata: Mapping[str, float] = MappingProxyType({}),
) -> PackedTile:
    """Read, check and pack one tile.

    Args:
        ref: where it lies.
        bands: names in the order of its file.
        divisors: one a band.
        nodata: band -> value that means no data there.

    Raises:
        TileError: as in `tiles.read_image` and `tiles.read_mask`.
        MissingPathError: a file is not there.
    """
    source = state(ref)
    image = tiles.read_image(ref.image_path, bands, nodata=nodata)
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
    refs: Iterable[TileRef],
    bands: Sequence[str],
    divisors: Sequence[float],
    nodata: Mapping[str, float] = MappingProxyType({}),
) -> Iterator[PackedTile | LandslideError]:
    """Pack tiles in threads and yield them in order, an error in the place of a faulty one.

    A few tiles are in memory at a time.
    """

    def attempt(ref: TileRef) -> PackedTile | LandslideError:
        try:
            return pack(ref, bands, divisors, nodata)
        except LandslideError as error:
            return error

    with ThreadPoolExecutor(
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    ) as pool:
        yield from _in_order(pool, attempt, refs, ahead=32)


def state(ref: TileRef) -> bytes:
    """Return name, size and time of change of a tile's files, for the fingerprint."""
    read_as = [] if ref.image_path.suffix.lower() in tiles.HDF5 else [READING]
    stamps = [ref.tile_id, stamp(ref.image_path), stamp(ref.mask_path), *read_as]
    return json.dumps(stamps).encode()


def _pack_values(image: np.ndarray, divisors: Sequence[float]) -> np.ndarray:
    """Return the image as uint16 if that is lossless for every value, else as float32."""
    stored = np.empty(image.shape, '<u2')
    for band, values, divisor in zip(stored, image, divisors, strict=True):  # one fits the cache
        # NumPy before 2.0 keeps float32 where an array meets a number.
        raw = np.multiply(values, divisor, dtype=np.float64)
        np.rint(raw, out=raw)
        inside = raw.min() >= 0 and raw.max() <= np.iinfo(np.uint16).max
        back = raw / divisor
        if not (inside and np.array_equal(back.astype(image.dtype, copy=False), values)):
            return image.astype('<f4')
        band[...] = raw
    return stored


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
