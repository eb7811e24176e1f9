"""Files that are either whole or not there: atomic writes, locks and plain JSON."""

import json
import lzma
import math
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from mmlandslide import limits

#: What Python raises on a .zip that is damaged (RuntimeError: encrypted).
DAMAGED_ZIP = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside a file.

    What is written there is flushed to disk and takes the file's name in one step. No reader, and
    no kill, ever meets half a file. The folder is made where it is missing; where the block fails,
    an older file is still as it was and nothing else stays.

    Args:
        path: of the file; an older one of that name is replaced.

    Yields:
        The path to write to.

    Raises:
        OSError: the folder cannot be written to or the disk is full; it names the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(6)}.tmp')
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        # A write that found no room names no file, and any other the temporary one.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise
    # Libraries that write to the path raise classes of their own.
    except Exception as error:
        lacking = limits.explained(error, path)
        if lacking is None or lacking is error:
            raise
        raise lacking from error
    finally:
        temporary.unlink(missing_ok=True)


def open_lock(path: str | Path) -> IO[bytes]:
    """Open a lock file, which is made where it is missing; its content stays as it is.

    Args:
        path: of the file, in a folder that is there.

    Raises:
        OSError: the path is a symbolic link, or the folder cannot be written to.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_BINARY', 0)
    # Without a buffer, whose content a full disk would leave to fail again when the file is closed.
    return os.fdopen(os.open(path, flags, 0o666), 'rb+', buffering=0)


def lock_now(file: IO[Any]) -> bool:
    """Lock an open file for this process, without waiting; return whether no other has it.

    Args:
        file: open for writing; the lock lasts as long as it, or a child that inherits it, is
            open.

    Raises:
        OSError: the file system has no locks.
    """
    return lock_descriptor(file.fileno(), blocking=False)


def flush(path: Path) -> None:
    """Have the disk keep a file's content.

    Raises:
        OSError: the disk is full or broken, as some file systems only say now.
    """
    with path.open('rb+') as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Have the disk keep a folder's new names, in the order in which they were given."""
    if os.name == 'posix':
        descriptor = os.open(folder, os.O_RDONLY)
        # Some network file systems cannot; the file is whole and named by now.
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def remove_leftovers(folder: str | Path, names: str) -> None:
    """Delete what processes that were killed within `replacing` have left.

    No other may be writing such files now.

    Args:
        folder: where they wrote; need not exist.
        names: pattern of the files that they were to become, such as `*.pth`.
    """
    for path in Path(folder).glob(f'.{names}.*.tmp'):
        path.unlink(missing_ok=True)


def write_atomic(path: str | Path, content: bytes | str) -> Path:
    """Write a file so that no reader, and no kill, ever meets half of it, see `replacing`.

    Args:
        path: of the file; an older one of that name is replaced.
        content: bytes, or text that is written as UTF-8.

    Returns:
        The path.

    Raises:
        OSError: the folder cannot be written to or the disk is full; an older file is then still as
            it was.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def write_json(path: str | Path, obj: Any) -> Path:
    """Write an object as JSON that any parser reads.

    What is not finite becomes `null`, which Python's own `NaN` is not.

    Args:
        path: of the file, written as by `write_atomic`.
        obj: of mappings, sequences, text, numbers, booleans, `None`, paths, NumPy scalars and NumPy
            arrays.

    Returns:
        The path.

    Raises:
        TypeError: the object holds something else.
        OSError: see `write_atomic`.
    """
    return write_atomic(path, json.dumps(_plain(obj), indent=2, allow_nan=False) + '\n')


def _plain(obj: Any) -> Any:
    """Return an object in the types that JSON has."""
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_plain(value) for value in obj]
    if isinstance(obj, Path):
        return str(obj)
    if hasattr(obj, 'tolist'):  # a NumPy scalar or array
        return _plain(obj.tolist())
    if isinstance(obj, float) and not math.isfinite(obj):
        return None
    return obj
