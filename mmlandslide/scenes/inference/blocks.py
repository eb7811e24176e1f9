"""Finished blocks of a scene on disk.

What an interrupted run goes on from, and how several processes hand over what they found.
"""

import io
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmlandslide.errors import StorageError
from mmlandslide.files import remove_leftovers, write_atomic
from mmlandslide.scenes.inference.detections import COLUMNS, Detections
from mmlandslide.scenes.inference.run_key import digest

_NAMES, _PLACING = 'block-*.npy', 'placing'


@dataclass(frozen=True)
class Searched:
    """A block that has been searched.

    Attributes:
        found: what its windows own, or nearly.
        windows: how many of them were searched, the others having no data.
        valid_px: pixels with data in the part of the scene that is the block's own, see `Grid.own`.
    """

    found: Detections
    windows: int
    valid_px: int


class Blocks(Protocol):
    """Where finished blocks are kept."""

    def read(self, index: int) -> Searched | None:
        """Return what was found in a block, `None` where it is not finished."""

    def write(self, index: int, block: Searched) -> None:
        """Note what was found in a block."""


class BlocksInMemory:
    """Finished blocks of a run that writes no file."""

    def __init__(self) -> None:
        self._found: dict[int, Searched] = {}

    def read(self, index: int) -> Searched | None:
        """Return what was found in a block, `None` where it is not finished."""
        return self._found.get(index)

    def write(self, index: int, block: Searched) -> None:
        """Note what was found in a block."""
        self._found[index] = block


class BlockFolder:
    """A folder beside the output, one file a finished block, whole or not there.

    Its name holds a digest of all that decides what is found: a run with other parameters finds
    another folder.

    Args:
        out: the output file.
        parameters: what decides what is found, of types that `fingerprint` reads.
    """

    def __init__(self, out: Path, parameters: Mapping[str, Any]) -> None:
        self.path = out.with_name(f'{out.name}.blocks') / digest(parameters)

    def read(self, index: int) -> Searched | None:
        """Return what was found in a block, `None` where it is not finished."""
        with suppress(
            OSError, ValueError, EOFError
        ):  # a file that is not there, or that something else has spoiled
            with self._file(index).open('rb') as file:
                table, counts = (np.load(file, allow_pickle=False) for _ in range(2))
            if table.dtype == np.float64 and table.ndim == 2 and table.shape[1] == COLUMNS:
                windows, valid_px = counts.tolist()
                return Searched(Detections(table), windows, valid_px)
        return None

    def write(self, index: int, block: Searched) -> None:
        """Note what was found in a block.

        Raises:
            StorageError: the disk is full, or nobody may write there.
        """
        try:
            # Not into the file itself: NumPy writes that with C's buffers and would not notice that
            # the last of them found no room.
            content = io.BytesIO()
            for array in (block.found.table, np.array([block.windows, block.valid_px])):
                np.save(content, array, allow_pickle=False)
            write_atomic(self._file(index), content.getvalue())
        except OSError as error:
            remedy = 'Free space or allow writing there, then run the same command again: it goes on from the finished blocks'
            reason = repr(error.strerror or str(error))
            raise StorageError.mismatch(
                'finished block', 'be written whole', reason, self.path, remedy
            ) from error

    @property
    def placing(self) -> bool:
        """Whether a run of these parameters was killed while it gave its files their names.

        What is there of them is its own.
        """
        return (self.path / _PLACING).exists()

    @contextmanager
    def while_placing(self) -> Iterator[None]:
        """Note that files get their names now.

        The note stays where the process is killed, and until `remove`.
        """
        note = write_atomic(self.path / _PLACING, '')
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
