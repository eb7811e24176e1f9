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
#: After which an end that was lost is asked for once more.
_AGAIN_S = 0.05


class Stopped(SystemExit):
    """A signal ends the process; its code is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number, self.name = number, signal.Signals(number).name


def _tell(stopped: Stopped) -> None:
    sys.stderr.write(f'stopped by {stopped.name}\n')


class _Handlers:
    """What a process does with signals that ask for its end, and what became of the first."""

    def __init__(self) -> None:
        self.received: Stopped | None = None
        self._owner, self._hook = os.getpid(), sys.unraisablehook
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._leave)
        sys.unraisablehook = self._ask_again

    def remove(self) -> None:
        sys.unraisablehook = self._hook
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _leave(self, number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() != self._owner:  # a forked child, whose parent tells
            os._exit(128 + number)
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        self.received = Stopped(number)
        raise self.received

    def _ask_again(self, lost: Any) -> None:
        """Ask once more for an end that Python has shown and dropped, as in hooks around a fork."""
        if not isinstance(lost.exc_value, Stopped):
            self._hook(lost)
            return
        number = lost.exc_value.number
        signal.signal(number, self._leave)
        timer = threading.Timer(_AGAIN_S, os.kill, (self._owner, number))
        timer.daemon = True
        timer.start()


@contextmanager
def ending(tell: Callable[[Stopped], None] = _tell) -> Iterator[None]:
    """Have signals that ask for an end raise `Stopped` while a block runs.

    A second signal ends the process at once. Whatever the block makes of the exception, such as
    another one out of a clean-up, it ends so all the same. Outside the main thread nothing changes,
    as Python handles signals there alone; neither does a signal that the process was started to
    ignore.

    Args:
        tell: is called with the signal once the block has ended, and writes the one line.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = _Handlers()
    handlers.install()
    cause: BaseException | None = None
    try:
        try:
            yield
        except BaseException as error:
            if handlers.received is None:
                raise
            cause = None if error is handlers.received else error
        if handlers.received is not None:
            tell(handlers.received)
            raise handlers.received from cause
    finally:
        handlers.remove()


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
