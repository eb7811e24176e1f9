"""What a machine lacks, said in one line: the file or the limit, and the remedy.

A full disk, no inodes, too few open files, a small shared memory: libraries report them by an error
number, or by text alone (HDF5, SQLite, PyTorch's data loader).
"""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mmlandslide.errors import LandslideError, StorageError

_FREE = 'Free space there, or name another place'
#: Error number -> remedy. Of `EACCES` and its kin the path is what matters.
_REMEDIES: Final[dict[int, str]] = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: f'The quota is used up. {_FREE}',
    errno.EFBIG: 'Raise the limit of a file (ulimit -f), or name a file system for larger files',
    errno.EROFS: 'Name another place: nothing can be written to this file system',
    errno.EACCES: 'Name another path, or change its rights',
    errno.EPERM: 'Name another path, or change its rights',
    errno.EEXIST: 'Name another path: a file stands where a folder would be',
    errno.ENOTDIR: 'Name another path: a file stands where a folder would be',
    errno.EISDIR: 'Name a file: this is a folder',
    errno.ENAMETOOLONG: 'Give a shorter name',
    errno.EIO: 'The disk or its connection is faulty: look into the log of the system',
}
_FILES = 'Raise the limit (ulimit -n 4096), or take fewer workers (num_workers)'
_SHARED = (
    'Give it more (docker run --shm-size=1g), or train without workers: '
    'train_dataloader.num_workers=0'
)
_NO_INODES = ': no inodes are left, there is room'
_MEMORY = 'Free memory, or take a smaller batch, fewer workers or smaller windows'
_MANY = r'Too many open files|ulimit -n'
#: What libraries say in the place of an error number.
_TEXTS: Final[tuple[tuple[str, int], ...]] = (
    (
        r'No space left on device|disk is full|\berrno = 28\b'
        r'|PytorchStreamWriter failed|inline_container',
        errno.ENOSPC,
    ),
    (r'Disk quota exceeded', errno.EDQUOT),
    (r'File too large', errno.EFBIG),
    (r'Read-only file system|readonly database', errno.EROFS),
    (_MANY, errno.EMFILE),
    (r'Cannot allocate memory|DefaultCPUAllocator', errno.ENOMEM),
)
_SHM = re.compile(r'shared memory|/torch_\d|\bshm\b|Bus error')
_NAMED = re.compile(r"filename = '([^'\n]+)'|\[Errno \d+\] [^:'\n]+: '([^'\n]+)'")


def explained(error: BaseException, path: str | Path | None = None) -> LandslideError | None:
    """Return an error that says what the machine lacks, `None` where it is about something else.

    Args:
        error: as it came; what caused it is looked at, too.
        path: the file that was written, where the error names none.
    """
    if isinstance(error, LandslideError):
        return error
    chain = list(_chain(error))
    named = next((name for each in chain if (name := _name(each))), path)
    for each in chain:
        lacking = of_workers(each)
        if lacking is not None:
            return lacking
        number = _number(each)
        if number is not None:
            return _of_number(number, named)
    return None


def reason(error: OSError, path: str | Path) -> str:
    """Return why a file could not be written, as the system says it.

    A file system without inodes is told from a full one.

    Args:
        error: of the writing.
        path: of the file.
    """
    said = error.strerror or str(error)
    out = error.errno == errno.ENOSPC and _is_out_of_inodes(path)
    return repr(f'{said}{_NO_INODES}' if out else said)


def of_workers(error: BaseException) -> LandslideError | None:
    """Return an error that says that shared memory is short, `None` for one about something else.

    Processes share batches and semaphores in `/dev/shm`; where that is full, the system says only
    that a device is, and names none.
    """
    text = str(error)
    # Batches are shared by open files, too.
    said = _SHM.search(text) is not None and re.search(_MANY, text) is None
    of_batch = said and isinstance(error, RuntimeError | OSError)
    of_semaphore = isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename
    if of_batch or (of_semaphore and _passed(error, 'multiprocessing')):
        return _lacking('shared memory', 'hold what workers share', '/dev/shm', _SHARED)
    return None


def _passed(error: BaseException, package: str) -> bool:
    """Return whether an error came through a package's functions."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(package in Path(frame.filename).parts for frame in frames)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came of, at most 20."""
    for _ in range(20):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name(error: BaseException) -> str | None:
    """Return the file that an error names."""
    if isinstance(error, OSError) and error.filename:
        return os.fsdecode(error.filename) if not isinstance(error.filename, int) else None
    found = _NAMED.search(str(error))
    return (found[1] or found[2]) if found else None


def _number(error: BaseException) -> int | None:
    """Return the system's number of an error, also of one that was put into words."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    known = {*_REMEDIES, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
    if isinstance(error, OSError) and error.errno in known:
        return error.errno
    text = str(error)
    return next((number for pattern, number in _TEXTS if re.search(pattern, text)), None)


def _of_number(number: int, path: str | Path | None) -> LandslideError:
    said = os.strerror(number)
    if number in (errno.EMFILE, errno.ENFILE):
        where = path or 'this process'
        return _lacking('open files', 'be within the limit', where, _FILES, f'{said!r}{_limit()}')
    if number == errno.ENOMEM:
        return _lacking('memory', 'suffice', path or 'this process', _MEMORY, repr(said))
    remedy, expected = _REMEDIES[number], 'be usable'
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        expected = 'be written whole'
    if number == errno.ENOSPC and _is_out_of_inodes(path):
        said = f'{said}{_NO_INODES}'
        remedy = 'Remove files there, or name another place'
    return StorageError.mismatch('path', expected, repr(said), path or _unknown(), remedy)


def _lacking(
    subject: str, expected: str, where: object, remedy: str, got: str = 'too little'
) -> LandslideError:
    return StorageError.mismatch(subject, expected, got, where, remedy)


def _unknown() -> str:
    return f'the file system of {Path.cwd()} or of the temporary files'


def _limit() -> str:
    try:
        import resource
    except ImportError:  # Windows
        return ''
    return f' of {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} at once'


def _is_out_of_inodes(path: str | Path | None) -> bool:
    """Return whether a path's file system has room and takes no more files."""
    folder = Path(path or '.').absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not hasattr(os, 'statvfs'):
        return False
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return room.f_files > 0 and room.f_favail == 0 and room.f_bavail > 0
