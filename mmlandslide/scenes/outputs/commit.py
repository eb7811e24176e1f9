"""Commit of one output's files: one run at a time writes them, and all get their names or none."""

import glob
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmlandslide import files, limits, locks
from mmlandslide.errors import StorageError


@contextmanager
def exclusive_lock(out: Path) -> Iterator[None]:
    """Keep other runs from an output, by a locked file beside it.

    The file is removed when the block ends, and the lock ends with its process.

    Args:
        out: the output; its folder is made where it is missing.

    Raises:
        ConfigError: another run writes this output now.
        StorageError: nobody may write there, or a link has the lock file's name.
    """
    remedy = 'Wait until it ends, or name another output'
    path = out.with_name(f'{out.name}.lock')
    with ExitStack() as held:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            lock = locks.exclusive(path, 'detection', out, remedy, remove=True)
            held.enter_context(lock)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise not_whole(out, error) from error
        yield


def clear_leftovers(out: Path) -> None:
    """Delete the half-written files of killed runs; no run may be writing the output now."""
    for folder in out.parent.glob(f'.{glob.escape(out.name)}.????????.tmp'):
        shutil.rmtree(folder, ignore_errors=True)


def commit_files(made: Mapping[Path, Path], mark: Path, aside: Path) -> None:
    """Rename whole files to their final names, all of them or none.

    All are on the disk before the first gets its name, and a failure undoes every change. An older
    file of the name `mark` goes before the first new one has its name, and the new one comes last:
    where a kill strikes in between, there is no `mark`.

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
    reason = limits.reason(error, out)
    found = StorageError.mismatch('output', 'be written whole', reason, out, remedy)
    assert isinstance(found, StorageError)
    return found
