"""The content of a training's checkpoint beside weights, in tensors and plain types only."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mmlandslide import limits
from mmlandslide.engine.divergence import require_finite_training
from mmlandslide.engine.loops import ResumableLoop
from mmlandslide.engine.record import bare
from mmlandslide.errors import CheckpointError, LandslideError, StorageError
from mmlandslide.weights.checkpoint_file import latest_checkpoint

#: What the system says where a disk is full, a quota used up or a file system read-only, whatever
#: the file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_LOG, _COUNT = 'log_history', 'count_history'


class CheckpointContentHook(Hook):
    """Keep checkpoints in plain types, and bring the logged history back on loading."""

    priority = 'LOWEST'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the progress within the epoch; turn the content into tensors and plain types.

        Raises:
            TrainingDivergedError: a value is not finite; nothing is written.
        """
        if isinstance(runner.train_loop, ResumableLoop):
            checkpoint['meta']['mmlandslide']['progress'] = runner.train_loop.progress(
                checkpoint['meta']
            )
        if 'optimizer' in checkpoint:
            # A step sets gradients to None: those that are there wait for `accumulative_counts`.
            parameters = bare(runner.model).named_parameters()
            checkpoint['accumulated'] = {
                name: value.grad.cpu() for name, value in parameters if value.grad is not None
            }
        require_finite_training(runner, checkpoint)
        checkpoint.update({key: plain(value) for key, value in checkpoint.items()})
        for name in {'state_dict', 'ema_state_dict'} & {*checkpoint}:  # as on any other machine
            checkpoint[name] = {key: value.contiguous() for key, value in checkpoint[name].items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the logged history, and a resumed training's waiting gradients."""
        restore_history(checkpoint.get('message_hub', {}))
        if runner._resume:
            restore_gradients(bare(runner.model), checkpoint.get('accumulated', {}))


def plain(value: Any) -> Any:
    """Return a value in the plain types and tensors that `weights_only` reads.

    A `HistoryBuffer` becomes a dict of two tensors, which `restore_history` turns back.

    Raises:
        TypeError: the value is of a type that has no plain form.
    """
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {
            _LOG: torch.as_tensor(np.asarray(log, np.float64)),
            _COUNT: torch.as_tensor(np.asarray(count, np.int64)),
        }
    if isinstance(value, torch.Tensor | str | int | float | bool | type(None)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        items = [plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f'{type(value).__name__} has no plain form for a checkpoint')


def restore_history(message_hub: dict[str, Any]) -> None:
    """Turn the plain histories of a loaded `message_hub` back into `HistoryBuffer`s, in place."""
    scalars = message_hub.get('log_scalars', {})
    for key, value in scalars.items():
        if isinstance(value, Mapping) and _LOG in value:
            scalars[key] = HistoryBuffer(value[_LOG].tolist(), value[_COUNT].tolist())


def restore_gradients(model: torch.nn.Module, accumulated: Mapping[str, torch.Tensor]) -> None:
    """Restore the gradients that waited for a step (`accumulative_counts`) at the checkpoint.

    Of several processes, each accumulates its own and the first one's are saved: those resume
    exactly only after a step.
    """
    for name, parameter in model.named_parameters():
        if name in accumulated:
            parameter.grad = accumulated[name].to(parameter)


@contextmanager
def storing(
    subject: str, path: Path, concerns: Callable[[OSError], bool] = lambda error: True
) -> Iterator[None]:
    """Turn a failed write into one sentence: the file, the reason, the checkpoint to resume from.

    Args:
        subject: what is written.
        path: to where; its folder, or where it is a folder itself, is the work dir.
        concerns: whether an error is about this writing at all; others pass.

    Raises:
        StorageError: in the place of an `OSError` of the block.
    """
    try:
        yield
    except OSError as error:
        lacking = limits.of_workers(error)
        if lacking is not None:
            raise lacking from error
        if isinstance(error, LandslideError) or not concerns(error):
            raise
        latest = latest_checkpoint(path if path.is_dir() else path.parent)
        then = f', then go on with --resume: {latest.name} is whole' if latest else ''
        remedy = f'Free space or allow writing there, or name another work dir{then}'
        raise StorageError.mismatch(
            subject, 'be written whole', limits.reason(error, path), path, remedy
        ) from error


def concerns_folder(folder: Path) -> Callable[[OSError], bool]:
    """Return whether an error is about disk space, or about a folder, its parents or files."""
    own = folder.absolute()

    def concerns(error: OSError) -> bool:
        named = Path(str(error.filename)).absolute() if error.filename else None
        return error.errno in _NO_ROOM or (
            named is not None and (named.is_relative_to(own) or own.is_relative_to(named))
        )

    return concerns


def require_position(checkpoint: dict[str, Any], path: Path) -> None:
    """Refuse to resume from a file that does not say where its training stood."""
    meta = checkpoint.get('meta')
    known = isinstance(meta, dict) and all(
        isinstance(meta.get(key), int) and meta[key] >= 0 for key in ('epoch', 'iter')
    )
    if not known or not isinstance(checkpoint.get('message_hub'), dict):
        raise CheckpointError.mismatch(
            'checkpoint',
            'say where its training stood, to be resumed',
            f'keys {sorted(map(str, checkpoint))[:10]}',
            path,
            'Resume from a checkpoint that this package wrote; '
            'to start from its weights, pass it as load_from',
        )
