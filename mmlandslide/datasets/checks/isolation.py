"""Work on files in child processes.

A crash, a hang or a memory blow-up in a C library kills only the child.

Each child has a pipe of its own and one item at a time: a child that dies, dies of that item, and
no other child shares what it may have broken. (A `ProcessPoolExecutor` breaks as a whole and cannot
say which item did it.)
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any, Generic, TypeVar

from mmlandslide.signals import shielded

Item = TypeVar('Item')
Result = TypeVar('Result')

#: Reading a tile takes milliseconds; a network drive that wakes up takes seconds.
TIMEOUT_S = 60.0
#: On top of what a child has mapped at its start; the largest array that the readers take has 512
#: MiB.
MEMORY_BYTES = 2 * 2**30
_AHEAD = 16
#: The heavy imports that every child needs; a fork server makes them once.
_PRELOADED = ['mmlandslide.datasets.checks.preflight']


@dataclass(frozen=True)
class Died(Generic[Item]):
    """In the place of a result, where the child did not finish.

    Attributes:
        item: that it was working on.
        reason: such as `a crash of its reader (signal 11, SIGSEGV)`.
    """

    item: Item
    reason: str


class _Child:
    """One child process and the item that it works on."""

    def __init__(self, memory_bytes: int) -> None:
        context = _context()
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, memory_bytes), daemon=True)
        with shielded():  # Ctrl+C reaches the group: the parent ends its children
            self.process.start()
        theirs.close()
        self.pipe.recv()  # it is ready: starting up does not count against the first item's time
        self.item: tuple[int, Any] | None = None
        self.deadline = 0.0

    def give(self, work: Callable[[Any], Any], item: tuple[int, Any], timeout_s: float) -> None:
        self.item, self.deadline = item, time.monotonic() + timeout_s
        with suppress(OSError):  # dead already: `take` finds out
            self.pipe.send((work, item[1]))

    def take(self) -> tuple[Any, bool]:
        """Return what came of the item, and whether the child lives on."""
        _, item = self.item or (0, None)
        self.item = None
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return Died(item, f'a crash of its reader ({_exit(self.process.exitcode or 0)})'), False
        if kind == 'raised':
            raise value
        return (
            Died(item, 'more memory asked for than a reader may have')
            if kind == 'memory'
            else value
        ), True

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Readers:
    """Child processes that do work on items; a context manager, whose end ends them.

    Args:
        timeout_s: for one item.
        memory_bytes: that a child may map beyond what it starts with (Linux only; elsewhere there
            is no such limit).
        num_workers: processes; `None` for one a core.
    """

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
        num_workers: int | None = None,
    ) -> None:
        self.timeout_s, self.memory_bytes, self.num_workers = (
            timeout_s,
            memory_bytes,
            num_workers or _cores(),
        )
        self._children: list[_Child] = []

    def __enter__(self) -> 'Readers':
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the children."""
        for child in self._children:
            child.end()
        self._children = []

    def run(
        self, work: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result | Died[Item]]:
        """Yield `work(item)` in the order of the items; a fresh child follows one that died.

        Args:
            work: can be pickled, as can its items and results.
            items: a few are ahead of the consumer, never all.

        Yields:
            The result, or a `Died` in its place.

        Raises:
            Exception: whatever `work` raises, `MemoryError` apart.
        """
        numbered, done, due = enumerate(items), dict[int, Any](), 0
        while True:
            while len(done) < _AHEAD and (child := self._idle()) and (item := next(numbered, None)):
                child.give(work, item, self.timeout_s)
            busy = [child for child in self._children if child.item is not None]
            if not busy:
                return
            done |= self._finished(busy)
            while due in done:
                yield done.pop(due)
                due += 1

    def _idle(self) -> '_Child | None':
        """Return a child without work, a new one where there may be more."""
        idle = [child for child in self._children if child.item is None]
        if not idle and len(self._children) < self.num_workers:
            idle = [_Child(self.memory_bytes)]
            self._children += idle
        return idle[0] if idle else None

    def _finished(self, busy: 'list[_Child]') -> dict[int, Any]:
        """Wait for one child at least; return the outcomes by number and let go of the dead."""
        ready = wait(
            [child.pipe for child in busy],
            max(min(child.deadline for child in busy) - time.monotonic(), 0),
        )
        outcomes: dict[int, Any] = {}
        for child in busy:
            number, item = child.item or (0, None)
            if child.pipe in ready:
                outcomes[number], lives = child.take()
            elif child.deadline <= time.monotonic():
                outcomes[number], lives = (
                    Died(item, f'a reader that takes more than {self.timeout_s:g} s'),
                    False,
                )
            else:
                continue
            if not lives:
                child.end()
                self._children.remove(child)
        return outcomes


def _serve(pipe: Connection, memory_bytes: int) -> None:
    """Work on what comes through the pipe until the other end is closed."""
    _limit_memory(memory_bytes)
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        pipe.send('ready')
        while True:
            work, item = pipe.recv()
            try:
                answer = ('done', work(item))
            except MemoryError:
                answer = ('memory', None)
            except Exception as error:  # the parent raises it
                answer = ('raised', error)
            pipe.send(answer)


def _exit(code: int) -> str:
    """Return an exit code in words; a negative one is a signal."""
    known = {member.value: member.name for member in signal.Signals}
    return f'signal {-code}, {known.get(-code, "unknown")}' if code < 0 else f'exit code {code}'


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _context() -> ForkServerContext | SpawnContext:
    """Return a way to start children that is safe beside threads."""
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOADED)
    return context


def _limit_memory(memory_bytes: int) -> None:
    """Limit the address space of this process, and have it leave no core file where it crashes."""
    status = Path('/proc/self/statm')
    if status.is_file():
        import resource

        mapped = int(status.read_text().split()[0]) * os.sysconf('SC_PAGE_SIZE')
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, mapped + memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
