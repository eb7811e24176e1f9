"""The files of one output: one run at a time makes them, and they get their names together."""

import glob
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from mmlandslide import files
from mmlandslide.errors import ConfigError, StorageError


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other runs from an output, by a locked file beside it.

    It goes when the block ends, and the lock with its process.

    Args:
        out: the output; its folder is made where it is missing.

    Raises:
        ConfigError: another run writes this output now.
        StorageError: nobody may write there.
    """
    path = out.with_name(f'{out.name}.lock')
    with ExitStack() as opened:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            file = opened.enter_context(path.open('w'))
            while _locked(file, out) and not _is_at(
                file, path
            ):  # its owner removed it after we had opened it
                file = opened.enter_context(path.open('w'))
        except OSError as error:
            raise not_whole(out, error) from error
        opened.callback(path.unlink, missing_ok=True)
        yield


def _locked(file: IO[str], out: Path) -> bool:
    """Lock a file; return whether that is possible at all.

    Some network file systems have no locks.
    """
    try:
        free = files.lock_now(file)
    except OSError:
        return False
    if not free:
        remedy = 'Wait until it ends, or name another output'
        raise ConfigError.mismatch(
            'output', 'be written by one run at a time', 'another run', out, remedy
        )
    return True


def _is_at(file: IO[str], path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def clear_leftovers(out: Path) -> None:
    """Delete what killed runs have left half-written of an output; none may be writing it now."""
    for folder in out.parent.glob(f'.{glob.escape(out.name)}.????????.tmp'):
        shutil.rmtree(folder, ignore_errors=True)


def place(made: Mapping[Path, Path], mark: Path, aside: Path) -> None:
    """Give whole files their names, all of them or none.

    All are on the disk before the first gets its name, and what a failure has changed is undone. Of
    an older file of the name `mark` nothing is left before the first new one has its name, and the
    new one comes last: where a kill strikes in between, there is no `mark`.

    Args:
        made: name -> file that is to get it, on the same disk.
        mark: the name that stands for all of them.
        aside: folder on that disk, where older files wait until all new ones have their names.

    Raises:
        OSError: the disk is full, or nobody may write there; older files are then as they were.
    """
    for path in made.values():
        files.flush(path)
    order = [mark, *(target for target in made if target != mark)]
    with ExitStack() as undo:
        for target in order:
            if target.exists():
                older = aside / f'older-{target.name}'
                target.replace(older)
                undo.callback(older.replace, target)
        for target in reversed(order):
            made[target].replace(target)
            undo.callback(target.unlink)
        files.flush_folder(mark.parent)
        undo.pop_all()


def not_whole(out: Path, error: OSError) -> StorageError:
    """Return the error of an output that cannot be written."""
    remedy = 'Free space or allow writing there, then run the same command again'
    reason = repr(error.strerror or str(error))
    found = StorageError.mismatch('output', 'be written whole', reason, out, remedy)
    assert isinstance(found, StorageError)
    return found
