"""The process of a training: its memory, its work dir, and how errors and signals end it."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch._utils import ExceptionWrapper
from torch.utils.data import get_worker_info

from mmlandslide import limits, locks
from mmlandslide.allocator import keep_freed_memory
from mmlandslide.deferred_imports import leave_compiler_out
from mmlandslide.engine import distributed
from mmlandslide.errors import LandslideError
from mmlandslide.signals import Stopped

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


_LEAST_CHANNELS = 16  # of a strided 1 x 1 convolution, from where none was seen to overrun
_FEEDER_ERROR = '_on_queue_feeder_error'
_print_feeder_error = getattr(Queue, _FEEDER_ERROR)


class OneLineHook:
    """Shows mmlandslide's errors in one line, and leaves any other to the hook of before.

    Of several processes, the first that fails speaks.

    Args:
        before: the process's hook so far, such as a debugger's or an error reporter's.
    """

    def __init__(self, before: Hook) -> None:
        self.before = before

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Show an error that nobody caught."""
        if distributed.failed_before():
            return
        error = limits.explained(error) or error
        if isinstance(error, LandslideError):
            # An error of a data loader's worker arrives with that worker's traceback in it.
            message = str(error).rsplit(f'{type(error).__name__}: ', 1)[-1].strip()
            sys.stderr.write(f'error: {message}\n')
        else:
            self.before(kind, error, trace)


def _thread_hook(before: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a hook that says in one line what a thread lacks: TensorBoard's, on a full disk.

    The training's own next write ends it, or the end of the run comes first.
    """

    def hook(args: Any) -> None:
        lacking = None if args.exc_value is None else limits.explained(args.exc_value)
        if lacking is None:
            before(args)
        else:
            sys.stderr.write(
                f'warning: {args.thread.name if args.thread else "a thread"}: {lacking}\n'
            )

    return hook


def _hand_over(queue: Any, error: Exception, item: Any) -> None:
    """Hand the error of a worker's batch to the training in the batch's place.

    A batch that finds no shared memory or no file descriptor fails in the thread that sends it:
    Python prints that, and the training would wait for the batch for ever.
    """
    if get_worker_info() is not None and isinstance(item, tuple) and len(item) == 2:
        found = ExceptionWrapper(where='in a data loader worker')  # type: ignore[no-untyped-call]
        queue.put((item[0], found))
    else:
        _print_feeder_error(error, item)


def install(env_cfg: Mapping[str, Any]) -> None:
    """Make `OneLineHook` the process's hook, once; let it keep freed memory on CPUs.

    PyTorch's compiler is imported when something is compiled.

    Args:
        env_cfg: the config's; `keep_freed_memory=False` in it gives memory back.
    """
    if env_cfg.get('keep_freed_memory', True) and not torch.cuda.is_available():
        keep_freed_memory()
    leave_compiler_out()
    if not isinstance(sys.excepthook, OneLineHook):
        sys.excepthook = OneLineHook(sys.excepthook)
        threading.excepthook = _thread_hook(threading.excepthook)
    setattr(Queue, _FEEDER_ERROR, property(lambda queue: partial(_hand_over, queue)))


def laid_out(model: Any) -> Any:
    """Return a model whose convolutions are stored, on CPUs, as oneDNN computes them.

    Features follow the layout of the weights. Not measured on GPUs, where nothing changes.
    """
    if not torch.cuda.is_available() and not any(map(_overruns, model.modules())):
        model.to(memory_format=torch.channels_last)
    return model


def _overruns(layer: torch.nn.Module) -> bool:
    """Return whether oneDNN writes past the end of a layer's weight gradient in its own layout.

    So it does in PyTorch 2.15, for strided 1 x 1 convolutions of 2 to 12 channels: the process
    crashes. None of the backbones here is so narrow by default; their options allow it.
    """
    return (
        isinstance(layer, torch.nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
        and layer.in_channels < _LEAST_CHANNELS
    )


@contextmanager
def own_layout(model: Any) -> Iterator[None]:
    """Give a model PyTorch's own layout within the context.

    Random numbers fill a tensor in the order of its memory, and weights ought to be the same on
    every device.
    """
    lies_otherwise = any(not weight.is_contiguous() for weight in model.parameters())
    model.to(memory_format=torch.contiguous_format)
    yield
    if lies_otherwise:
        laid_out(model)


def training_lock(work_dir: Path) -> Any:
    """Return the context in which a training has its work dir for itself.

    Raises:
        ConfigError: on entering, another training runs there.
    """
    remedy = 'Wait until it ends, or pass another --work-dir'
    return locks.exclusive(work_dir / 'training.lock', 'training', work_dir, remedy)


def let_logs_fail(logger: logging.Logger) -> logging.Logger:
    """Have a log file that cannot be written raise its error, not print a traceback each line."""

    def fail(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise error

    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = fail  # type: ignore[method-assign]
    return logger


def tell(stopped: Stopped) -> None:
    """Say in one line that a signal ended a training, and how it is continued."""
    sys.stderr.write(f'stopped by {stopped.name}; go on with --resume\n')
