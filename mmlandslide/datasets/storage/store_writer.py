"""Writes a packed tile store beside its name and renames it, so that it is whole or absent."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from mmlandslide import limits
from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.datasets.storage.packed_tile import PackedTile, state
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.storage.store_index import ALIGN, VERSION, signed
from mmlandslide.errors import DatasetError


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
        self._write(signed(text))
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
                limits.reason(error, self._part),
                self._part,
                'Free space there, or name a folder in MMLANDSLIDE_CACHE',
            ) from error


def fingerprint(refs: Iterable[TileRef], bands: Sequence[str], divisors: Sequence[float]) -> str:
    """Return a digest of the tiles' ids, names, sizes and times, bands, divisors and box rules."""
    digest = _new_fingerprint(bands, divisors)
    for ref in refs:
        digest.update(state(ref))
    return digest.hexdigest()


def _new_fingerprint(bands: Sequence[str], divisors: Sequence[float]) -> 'hashlib.blake2b':
    return hashlib.blake2b(
        json.dumps([VERSION, list(bands), list(divisors), _rules()]).encode(), digest_size=16
    )


def _rules() -> dict[str, dict[str, Any]]:
    return {name: asdict(rule) for name, rule in RULES.items()}
