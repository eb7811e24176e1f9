"""Checkpoints, read without running anything that they carry, and the latest one of a work dir."""

import argparse
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mmlandslide.errors import CheckpointError, MissingPathError
from mmlandslide.weights import container_guard


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without executing anything that it carries.

    A `.safetensors` file gives its tensors; anything else goes through
    `torch.load(weights_only=True)`. Beside tensors and plain types, exactly the classes are let
    through that mmengine writes into its checkpoints (`HistoryBuffer`, NumPy arrays and scalars)
    and MAE's authors into theirs (`Namespace`). There is no fallback to unpickling. What the file
    claims is looked at first, see `container_guard`: no more memory is taken than a small multiple
    of the file's size.

    Args:
        path: of the file.

    Returns:
        What the file holds: for a training checkpoint a dict with `state_dict` and `meta`.

    Raises:
        MissingPathError: there is no such file.
        CheckpointError: the file is broken, is no checkpoint, carries code, or claims more than it
            holds.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPathError.mismatch(
            'checkpoint', 'be a file', 'nothing', path, 'Check the path'
        )
    try:
        container_guard.refuse_bombs(path)
        content = _load(path)
    except CheckpointError:
        raise
    except (
        Exception
    ) as error:  # torch and safetensors raise a dozen classes on a broken file, and promise none
        raise CheckpointError.mismatch(
            'checkpoint',
            'hold tensors and plain types only',
            repr(_reason(error)),
            path,
            'Take the file from its publisher again, or as safetensors',
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError.mismatch(
            'checkpoint',
            'be a dict',
            type(content).__name__,
            path,
            'Save a state dict, not a model',
        )
    container_guard.refuse_claims(content, path)
    return content


def _load(path: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    if path.suffix == '.safetensors':
        return dict(load_file(path))
    with _allowed_globals():
        return torch.load(path, map_location='cpu', weights_only=True)


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the latest checkpoint of a work dir.

    The one that `last_checkpoint` names, by its name alone, so that a work dir may be moved. Where
    that file is missing, torn or stale (mmengine does not write it in one step), the `epoch_N.pth`
    of the highest number, else the `iter_N.pth`.

    Args:
        work_dir: of a training.

    Returns:
        The path, `None` where the folder holds no checkpoint or is none.
    """
    work_dir = Path(work_dir)
    named = _pointed_to(work_dir)
    if named is not None:
        return named
    for kind in ('epoch', 'iter'):
        files = [
            path
            for path in work_dir.glob(f'{kind}_*.pth')
            if re.fullmatch(r'[a-z]+_\d+', path.stem) and path.is_file()
        ]
        if files:
            return max(files, key=lambda path: int(path.stem.rpartition('_')[2]))
    return None


def _pointed_to(work_dir: Path) -> Path | None:
    pointer = work_dir / 'last_checkpoint'
    if not pointer.is_file():
        return None
    with pointer.open(errors='replace') as file:
        name = file.read(4096).strip().rpartition('/')[2]
    return next((path for path in work_dir.iterdir() if path.name == name and path.is_file()), None)


def _reason(error: Exception) -> str:
    """Return what is wrong with a checkpoint, without torch's advice to load it unsafely."""
    lines = str(error).rsplit('WeightsUnpickler error: ', 1)[-1].strip().splitlines() or [
        type(error).__name__
    ]
    said = next((line for line in lines if 'GLOBAL' in line), lines[0])
    return said.split('. ')[0].strip('. ')


def _allowed_globals() -> AbstractContextManager[Any]:
    """Return a context in which `torch.load` lets through what mmengine writes.

    Nothing more on torch before 2.5.
    """
    import torch

    safe_globals = getattr(torch.serialization, 'safe_globals', None)
    return nullcontext() if safe_globals is None else safe_globals(list(_mmengine_globals()))


def _mmengine_globals() -> Iterator[Any]:
    import numpy as np
    from mmengine.logging import HistoryBuffer

    class Array(np.ndarray):
        """Stands in for `numpy.ndarray`.

        A pickle makes it empty, and its state then holds what the file holds.
        """

        def __new__(cls, *args: Any) -> 'Array':
            return super().__new__(cls, 0)

    Array.__module__, Array.__qualname__ = 'numpy', 'ndarray'
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    yield from (
        HistoryBuffer,
        Array,
        np.dtype,
        argparse.Namespace,
        _under('builtins.getattr', _statistic),
    )
    for package in ('numpy.core', 'numpy._core'):  # as NumPy 1 and as NumPy 2 write it
        yield _under(f'{package}.multiarray._reconstruct', Array)
        yield _under(f'{package}.multiarray.scalar', multiarray.scalar)
    yield from {type(np.dtype(code)) for code in 'efd?bhilqBHILQ'}


def _under(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function under the name by which a pickle asks for it."""

    def call(*args: Any) -> Any:
        return function(*args)

    call.__module__, call.__qualname__ = name.rsplit('.', 1)
    return call


def _statistic(owner: Any, name: str) -> Any:
    """Stand in for `getattr`.

    A pickled `HistoryBuffer` names its statistics by it, and nothing else may.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr for {name!r}')
    return getattr(owner, name)
