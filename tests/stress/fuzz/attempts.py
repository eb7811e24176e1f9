"""One input read, and what became of it."""

import logging
import os
import re
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from stress.fuzz.promises import BrokenPromiseError
from stress.fuzz.readers import READERS

from mmlandslide.datasets.checks.isolation import Died, Readers
from mmlandslide.errors import LandslideError

LONGEST_MESSAGE = 4000
SPARE_FILES = 16


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        kind: `accepted`, `refused` or `defect`.
        detail: the message; of a defect, its class and where it was raised.
        peak_bytes: most memory that the reading process has held since this reader began.
    """

    kind: str
    detail: str = ''
    peak_bytes: int = 0

    @property
    def signature(self) -> str:
        """Return what a defect has in common with others of its sort.

        Its message without what follows from the one input.
        """
        return re.sub(r"\d+|'.*|\".*", '', self.detail)[:90]


def outcomes(
    children: Readers, name: str, inputs: Iterable[bytes], folder: Path
) -> Iterator[Outcome]:
    """Yield what became of each input, read in a child process.

    What kills a child, or hangs it, is told of that input.

    Args:
        children: one process that reads.
        name: of the reader.
        inputs: contents of its file.
        folder: for the file, best in memory.
    """
    for found in children.run(partial(_watched, name, folder), inputs):
        yield Outcome('defect', f'died of {found.reason}') if isinstance(found, Died) else found


def attempt(name: str, folder: Path, content: bytes) -> Outcome:
    """Read one input in this process.

    Args:
        name: of the reader.
        folder: for the file.
        content: of the file.
    """
    reader = next(reader for reader in READERS if reader.name == name)
    path = folder / reader.file_name
    path.unlink(missing_ok=True)  # a file of its own: libraries know files by their inode
    path.write_bytes(content)
    try:
        reader.read(path)
    except LandslideError as error:
        return _judged(error, folder)
    except Exception as error:  # any other is what the harness looks for
        return Outcome('defect', f'{type(error).__name__} in {_place(error)}: {str(error)[:200]!a}')
    return Outcome('accepted')


def _judged(error: LandslideError, folder: Path) -> Outcome:
    """Return a refusal, or a defect if its message is useless or a danger to a terminal."""
    message = str(error)
    faults = {
        'without its file': str(folder) not in message,
        'with a long message': len(message) > LONGEST_MESSAGE,
        'with control characters': not message.isprintable(),
    }
    fault = next((name for name, found in faults.items() if found), None)
    kind, place = type(error).__name__, _place(error)
    return (
        Outcome('defect', f'{kind} {fault} in {place}: {message[:200]!a}')
        if fault
        else Outcome('refused', message)
    )


def _place(error: Exception) -> str:
    """Return the last function of the package or its readers that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame
        for frame in frames
        if 'mmlandslide' in frame.filename or isinstance(error, BrokenPromiseError)
    ]
    return (
        f'{Path(ours[-1].filename).name}:{ours[-1].name}' if ours else 'no function of the package'
    )


def _watched(name: str, folder: Path, content: bytes) -> Outcome:
    """Read one input in a child process, and look at what it leaves behind."""
    opened = _begun(name)
    found = attempt(name, folder, content)
    if _open_files() > opened + SPARE_FILES:
        found = Outcome('defect', 'files left open')
    peak_kib = re.search(r'VmHWM:\s*(\d+)', Path('/proc/self/status').read_text())
    return replace(found, peak_bytes=int(peak_kib[1]) * 1024 if peak_kib else 0)


@cache
def _begun(name: str) -> int:
    """Hide what C libraries print of broken files and forget the peak of memory, once a reader.

    Return the count of open files.
    """
    with Path(os.devnull).open('w') as null:
        os.dup2(null.fileno(), 2)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    Path('/proc/self/clear_refs').write_text('5')
    return _open_files()


def _open_files() -> int:
    return len(list(Path('/proc/self/fd').iterdir()))
