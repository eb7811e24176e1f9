"""Where the packed stores of a data root lie: inside it, or in the user's cache."""

import hashlib
import logging
import os
from contextlib import AbstractContextManager
from pathlib import Path

from mmlandslide import locks
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.errors import DatasetError


def store_folders(data_root: Path) -> tuple[Path, Path]:
    """Return the folders where a data root's stores may be: inside it, or the user's cache.

    The cache is `MMLANDSLIDE_CACHE`, or `~/.cache/mmlandslide`, with one folder a data root. A user
    without a home, as in containers, has the first alone.
    """
    stated, own = os.environ.get('MMLANDSLIDE_CACHE'), data_root / '.mmlandslide'
    try:
        cache = Path(stated) if stated else Path.home() / '.cache' / 'mmlandslide'
    except RuntimeError:
        return own, own
    key = hashlib.blake2b(str(data_root.resolve()).encode(), digest_size=8).hexdigest()
    return own, cache / key


def store_folder(data_root: Path) -> Path:
    """Return the first of `store_folders` that can be written, made where it is not there.

    Raises:
        DatasetError: neither can.
    """
    folders = store_folders(data_root)
    for folder in folders:
        if writable(folder):
            return folder
    raise DatasetError.mismatch(
        'store folder',
        'be writable',
        'read-only ones',
        ' and '.join(map(str, folders)),
        'Name another in MMLANDSLIDE_CACHE',
    )


def locked(folder: Path) -> AbstractContextManager[None]:
    """Return the context in which a process alone writes stores in a folder, which is made first.

    Entering waits until no other does, and says once for which process it waits.

    Raises:
        DatasetError: the folder cannot be made or written.
        StorageError: on entering, a symbolic link has the lock file's name.
    """
    if not writable(folder):
        raise DatasetError.mismatch(
            'store folder',
            'be writable',
            'a read-only one',
            folder,
            'Name another in MMLANDSLIDE_CACHE',
        )
    tell = logging.getLogger('mmlandslide').warning
    return locks.exclusive(folder / 'store.lock', 'packing of tiles', folder, waiting=tell)


def writable(folder: Path) -> bool:
    """Make a folder where it is not there; return whether files can be written in it.

    A link that leads out of the data set, which may be a stranger's, is not followed unless
    `index.require_inside` allows it.
    """
    try:
        require_inside(folder.parent, folder)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, DatasetError):
        return False
    return os.access(folder, os.W_OK)
