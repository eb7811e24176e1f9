"""Results of finished blocks on disk: for resuming, and for processes to hand them over."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Protocol

import numpy as np

from mmlandslide import limits
from mmlandslide.errors import StorageError
from mmlandslide.files import remove_leftovers, write_atomic
from mmlandslide.scenes.inference.detections import COLUMNS, Detections

_NAMES, _COMMITTING = 'block-*.npy', 'placing'
_DIGEST_BYTES = 16
#: What NumPy raises on a file that is no array.
_NO_ARRAY = (ValueError, EOFError, TypeError, LookupError, SyntaxError, OverflowError, TokenError)


@dataclass(frozen=True)
class BlockResult:
    """Detections of one block of windows.

    Attributes:
        detections: those that its windows own, or nearly.
        windows: number of windows that were predicted; the others have no data.
        valid_px: pixels with data in the part of the scene that is the block's own, see `Grid.own`.
    """

    detections: Detections
    windows: int
    valid_px: int


class Blocks(Protocol):
    """Storage of finished blocks."""

    def read(self, index: int) -> BlockResult | None:
        """Return the result of a block, `None` where it is not finished."""

    def write(self, index: int, block: BlockResult) -> None:
        """Store the result of a block."""


class BlocksInMemory:
    """Finished blocks of a run that writes no file."""

    def __init__(self) -> None:
        self._found: dict[int, BlockResult] = {}

    def read(self, index: int) -> BlockResult | None:
        """Return the result of a block, `None` where it is not finished."""
        return self._found.get(index)

    def write(self, index: int, block: BlockResult) -> None:
        """Store the result of a block."""
        self._found[index] = block


class BlockFolder:
    """A folder beside the output, one file per finished block, whole or not there.

    Args:
        out: the output file.
        key: digest of all that decides what a block holds, the folder's name: a run with other
            parameters has another folder.
    """

    def __init__(self, out: Path, key: str) -> None:
        self.path = out.with_name(f'{out.name}.blocks') / key

    def read(self, index: int) -> BlockResult | None:
        """Return the result of a block, `None` where it is not finished."""
        with suppress(OSError, MemoryError, *_NO_ARRAY):
            return _decoded(self._file(index).read_bytes())
        return None

    def write(self, index: int, block: BlockResult) -> None:
        """Store the result of a block.

        Raises:
            StorageError: the disk is full, or nobody may write there.
        """
        try:
            write_atomic(self._file(index), _encoded(block))
        except OSError as error:
            remedy = (
                'Free space or allow writing there, then run the same command again: '
                'it resumes from the finished blocks'
            )
            reason = limits.reason(error, self.path)
            raise StorageError.mismatch(
                'finished block', 'be written whole', reason, self.path, remedy
            ) from error

    @property
    def committing(self) -> bool:
        """Whether a run of these parameters was killed while it gave its files their names.

        What is there of them is its own.
        """
        return (self.path / _COMMITTING).exists()

    @contextmanager
    def while_committing(self) -> Iterator[None]:
        """Leave a note while files get their names.

        It stays where the process is killed, and until `remove`.
        """
        note = write_atomic(self.path / _COMMITTING, '')
        try:
            yield
        except BaseException:
            note.unlink()
            raise

    def clear_leftovers(self) -> None:
        """Delete what killed processes have left half-written; none may be writing now."""
        remove_leftovers(self.path, _NAMES)

    def remove(self) -> None:
        """Delete the folder, and the one around it where no other run has left blocks there."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            self.path.parent.rmdir()

    def __str__(self) -> str:
        """Return the path."""
        return str(self.path)

    def _file(self, index: int) -> Path:
        return self.path / _NAMES.replace('*', f'{index:06d}')


def _encoded(block: BlockResult) -> bytes:
    """Return a block as two NumPy arrays and a digest of them.

    Not written into the file itself: NumPy writes that with C's buffers and would not notice that
    the last of them found no room.
    """
    content = io.BytesIO()
    counts = np.array([block.windows, block.valid_px], np.int64)
    for array in (block.detections.table, counts):
        np.save(content, array, allow_pickle=False)
    return content.getvalue() + _digest(content.getvalue())


def _decoded(content: bytes) -> BlockResult | None:
    """Return what `_encoded` wrote, `None` for bytes that something else wrote or spoiled."""
    arrays, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if digest != _digest(arrays):
        return None
    with io.BytesIO(arrays) as file:
        table, counts = (np.load(file, allow_pickle=False) for _ in range(2))
    found = Detections(table)
    if table.dtype != np.float64 or table.ndim != 2 or table.shape[1] != COLUMNS:
        return None
    if counts.dtype != np.int64 or counts.shape != (2,) or (counts < 0).any():
        return None
    if not (np.isfinite(found.boxes_xyxy).all() and np.isfinite(found.scores).all()):
        return None
    return BlockResult(found, int(counts[0]), int(counts[1]))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
