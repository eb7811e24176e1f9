"""How a process ends that is told to.

In one line, its temporary files removed, with the right code. SIGINT, SIGTERM and SIGHUP become an
exception, so that every `with` and `finally` runs; the exit code is the shell's, 128 + the signal's
number.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_ENDING = ('SIGINT', 'SIGTERM', 'SIGHUP')


class Stopped(SystemExit):
    """A signal ends the process; its code is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


def _tell(stopped: Stopped) -> None:
    sys.stderr.write(f'stopped by {stopped.name}\n')


@contextmanager
def ending(tell: Callable[[Stopped], None] = _tell) -> Iterator[None]:
    """Have signals that ask for an end raise `Stopped` while a block runs.

    A second signal ends the process at once. Outside the main thread nothing changes, as Python
    handles signals there alone; neither does a signal that the process was started to ignore.

    Args:
        tell: is called with the signal once the block has ended, and writes the one line.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    before: dict[int, Any] = {}

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() != owner:  # a forked child, whose parent tells
            os._exit(128 + number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number)

    for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, leave)
    try:
        yield
    except Stopped as stopped:
        tell(stopped)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """Start processes in the block that SIGINT and SIGHUP to the whole group do not reach.

    Their parent gets the signal after the block, and ends them.
    """
    numbers = {getattr(signal, name) for name in ('SIGINT', 'SIGHUP') if hasattr(signal, name)}
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
