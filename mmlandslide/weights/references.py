"""From what a config or a command line calls a checkpoint to the file."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit

import torch

from mmlandslide.errors import MissingPathError
from mmlandslide.files import latest_checkpoint


def resolve(checkpoint: str, made_by: str | None = None) -> Path:
    """Return the file that a reference names.

    Args:
        checkpoint: a file, a work dir (its latest checkpoint) or a URL (kept in torch's hub folder).
        made_by: config whose training makes the checkpoint, for the error; it counts while `checkpoint` is that config's work
            dir.

    Raises:
        MissingPathError: nothing is there, or the URL cannot be fetched.
    """
    if checkpoint.startswith(('http://', 'https://')):
        return _fetch(checkpoint)
    path = Path(checkpoint)
    found = path if path.is_file() else latest_checkpoint(path)
    if found is not None:
        return found
    where, remedy = str(path), 'Check the path'
    if made_by is not None and path == Path('work_dirs', Path(made_by).stem):
        where = f'{path} (asked for by a config that starts from {made_by})'
        remedy = f'Make it with `mim train mmpretrain {made_by}`'
    raise MissingPathError.mismatch('checkpoint', 'be a file or a work dir that holds one', 'nothing', where, remedy)


def _fetch(url: str) -> Path:
    """Return the local copy of a URL, fetched where there is none yet."""
    target = Path(torch.hub.get_dir()) / 'checkpoints' / cache_name(url)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(target))
    except (OSError, HTTPException) as error:
        raise MissingPathError.mismatch(
            'checkpoint', 'be there for download', repr(str(error)), url, f'Check URL and network, or put the file at {target}'
        ) from error
    return target


def cache_name(url: str) -> str:
    """Return the name of a URL's local copy: a digest of the whole URL, so that no two share one, and the file's own name."""
    digest = hashlib.blake2b(url.encode(), digest_size=4).hexdigest()
    return f'{digest}-{Path(unquote(urlsplit(url).path)).name or "checkpoint.pth"}'
