"""One stage as a child process: its whole group ends with the study, its output is in a file.

No two processes run in one work dir. Locks and process groups are POSIX; elsewhere the module
imports, and running a study is refused.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mmlandslide import hosts, locks
from mmlandslide.errors import ConfigError
from mmlandslide.files import lock_now
from mmlandslide.study.trial import Stage

LOG, LOCK = 'study.log', 'stage.lock'
#: Grace period between SIGTERM and SIGKILL; a training resumes from its last checkpoint anyway.
_GRACE_S = 5.0
_POLL_S = 0.05
_RAISED = re.compile(r'[\w.]*(Error|Exception|Interrupt)(:|$)')


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a study's folder for this process.

    Args:
        folder: of the study; made where it is missing.

    Raises:
        ConfigError: another process has it, or the system has no process groups.
    """
    if not hasattr(os, 'killpg'):
        expected, remedy = 'run on Linux or macOS', 'Run it there, or in WSL'
        raise ConfigError.mismatch('study', expected, sys.platform, folder, remedy)
    folder.mkdir(parents=True, exist_ok=True)
    remedy = 'Wait until it has ended, or stop it'
    with locks.exclusive(folder / 'study.lock', 'study', folder, remedy):
        yield


@contextmanager
def child_process(
    stage: Stage, command: Sequence[str], mim: Sequence[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a stage; when the block ends, however it ends, nothing of the stage runs any more.

    A child that outlived a killed study holds a lock on its work dir: it is ended first, where the
    system proves that it is the one (see `locks.processes_with`).

    Args:
        stage: whose work dir the process has for itself.
        command: that begins with `mim`.
        mim: what that word stands for; `None` for the host's script, see `started`.

    Yields:
        The process.

    Raises:
        ConfigError: a process that cannot be proven to be a stage's holds the lock.
    """
    stage.work_dir.mkdir(parents=True, exist_ok=True)
    with (
        locks.opened(stage.work_dir / LOCK) as lock,
        (stage.work_dir / LOG).open('ab') as log,
    ):
        _end_orphan(lock, stage.work_dir)
        child = subprocess.Popen(
            started(command) if mim is None else [*mim, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock.fileno()],  # the lock lasts as long as the child
        )
        try:
            locks.sign(lock, locks.Holder.this('stage of a study', child.pid))
            yield child
        finally:
            _stop(child)


def started(command: Sequence[str]) -> list[str]:
    """Return what `mim` would start for a command on one process, by the running Python.

    Without mim's own start: it imports PyTorch and lets the script print its help first.

    Args:
        command: `mim`, `train` or `test`, host, config, then options.
    """
    _, verb, host, config, *words = command
    script = hosts.script(host, verb)
    if script is None or not Path(config).is_file():  # mim looks for it elsewhere
        return [sys.executable, '-m', 'mim', *command[1:]]
    weights = []
    if '--checkpoint' in words[:1]:
        weights, words = [words[1]], words[2:]
    return [sys.executable, str(script), config, *weights, '--launcher', 'none', *words]


def end_orphans(root: Path) -> None:
    """End the stages that a killed study has left running.

    Args:
        root: of the study, which `exclusive` holds, so that no other study can own them.

    Raises:
        ConfigError: a process that cannot be proven to be a stage's holds a lock.
    """
    for path in root.rglob(LOCK):
        with locks.opened(path) as lock:
            _end_orphan(lock, path.parent)


def _end_orphan(lock: IO[bytes], work_dir: Path) -> None:
    """Lock a work dir; a stage that has it is ended with its group, nobody else.

    Only a stage gets the lock from its study, and it leads a group of its own; so whoever the
    system says has it is in a stage's group.
    """
    while not lock_now(lock):
        owners = locks.processes_with(lock)
        for pid in owners:
            with suppress(ProcessLookupError):
                if os.getpgid(pid) != os.getpgrp():
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
        if not owners and not lock_now(lock):
            got = str(locks.holder_of(lock) or 'one that the system does not name')
            remedy = 'Stop it, then start the study again'
            raise ConfigError.mismatch(
                'work dir', 'be used by no other process', got, work_dir, remedy
            )
        time.sleep(_POLL_S)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a process and its group: SIGTERM, a grace period, SIGKILL."""
    with suppress(ProcessLookupError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_S)
        os.killpg(child.pid, signal.SIGKILL)  # children of the child too
    child.wait()


def children_cpu_s() -> float:
    """Return the CPU seconds of all child processes that have ended, and of their children."""
    times = os.times()
    return times.children_user + times.children_system


def output_end(stage: Stage) -> int:
    """Return how many bytes of output a stage has left so far."""
    log = stage.work_dir / LOG
    return log.stat().st_size if log.is_file() else 0


def reason(stage: Stage, code: int, since: int = 0) -> str:
    """Return why a stage failed.

    Its `error: ...` line, else the line that ends its first traceback, else how it ended.

    Args:
        stage: that has ended.
        code: exit code of its process, below 0 where a signal has ended it.
        since: byte of its output at which the attempt began, see `output_end`.
    """
    with (stage.work_dir / LOG).open('rb') as file:
        file.seek(max(since, output_end(stage) - 2**18))
        lines = [
            line.strip()
            for line in file.read().decode(errors='replace').splitlines()
            if line.strip()
        ]
    said = [line.removeprefix('error: ') for line in lines if line.startswith('error: ')]
    raised = [line for line in lines if _RAISED.match(line)]
    if code < 0:
        said, raised = [], []  # what it said before is not why
    return [
        *said[-1:],
        *raised,
        f'{_ended(code)}; its last words: {lines[-1] if lines else "none"}',
    ][0]


def _ended(code: int) -> str:
    if code < 0:
        more = ', as the system does where memory is short' if -code == signal.SIGKILL else ''
        return f'killed by signal {-code}{more}'
    return f'ended with {code}' + (', but left no result' if code == 0 else '')
