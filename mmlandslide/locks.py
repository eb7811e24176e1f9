"""Locks between processes: each lock file says who holds it, and nothing else is written or ended.

A lock lasts as long as its process; of one that was killed nothing has to be cleaned up. The file
is never truncated unless its content is a holder's, never followed through a link, and children
that a process forks do not hold on to it. A number in a file proves nothing: `processes_with` asks
the system which processes have a lock.
"""

import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from mmlandslide.errors import ConfigError, StorageError, shown
from mmlandslide.files import lock_now, open_lock

_POLL_S = 0.2
_LONGEST = 4096
_BOOT = Path('/proc/sys/kernel/random/boot_id')
_held: set[int] = set()


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        doing: what it does, such as `training`.
        pid: number of the process.
        host: its machine.
        boot: id of that machine's start, empty where the system tells none.
        started: when the process started, in the clock ticks of the machine; `None` where the
            system does not tell.
        since: when it took the lock, UTC.
    """

    doing: str
    pid: int
    host: str
    boot: str
    started: int | None
    since: str

    @classmethod
    def this(cls, doing: str, pid: int | None = None) -> 'Holder':
        """Return the running process, or another of this machine."""
        boot = _BOOT.read_text().strip() if _BOOT.is_file() else ''
        now = datetime.now(timezone.utc).isoformat(timespec='seconds')
        pid = os.getpid() if pid is None else pid
        return cls(doing, pid, socket.gethostname(), boot, started_at(pid), since=now)

    def is_running_here(self) -> bool:
        """Return whether this very process is proven to run on this machine, since this start."""
        here = Holder.this(self.doing)
        return (
            self.started is not None
            and (self.host, self.boot) == (here.host, here.boot)
            and started_at(self.pid) == self.started
        )

    def __str__(self) -> str:
        """Return who it is, for a message."""
        # Anybody may have written that into a lock file.
        return shown(f'{self.doing} by process {self.pid} on {self.host} since {self.since}')


def started_at(pid: int) -> int | None:
    """Return when a process of this machine started (clock ticks), `None` where nobody tells."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return int(fields[19])  # the 22nd of all, the first two being cut off
    return None


def holder_of(file: IO[bytes]) -> Holder | None:
    """Return who an open lock file says holds it, `None` where it holds nothing of that form."""
    file.seek(0)
    try:
        return Holder(**json.loads(file.read(_LONGEST)))
    except (ValueError, TypeError, RecursionError):
        return None


def processes_with(file: IO[bytes]) -> list[int]:
    """Return the processes of this machine that the system says have locked an open file.

    That is a proof, also of a child that has a lock from its parent; a process that only reads the
    file is not among them. Linux tells, of the user's own processes; elsewhere there are none.
    """
    return [int(folder.name) for folder in Path('/proc').glob('[0-9]*') if _locks(folder, file)]


def _locks(process: Path, file: IO[bytes]) -> bool:
    with suppress(OSError):
        for link in (process / 'fd').iterdir():
            with suppress(OSError):  # closed meanwhile
                if os.path.samestat(link.stat(), os.fstat(file.fileno())):
                    return 'FLOCK' in (process / 'fdinfo' / link.name).read_text()
    return False


def opened(path: Path) -> IO[bytes]:
    """Open a lock file, which is made where it is missing; its content stays as it is.

    Raises:
        StorageError: a symbolic link, a folder or a pipe has its name.
        OSError: the folder cannot be written to.
    """
    try:
        file = open_lock(path)
    except OSError as error:
        if path.is_symlink():
            raise _no_file('no symbolic link', f'a link to {path.readlink()}', path) from error
        if path.is_dir():
            raise _no_file('a file', 'a folder', path) from error
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _no_file('a file', 'a pipe or a device', path)
    return file


def _no_file(expected: str, got: str, path: Path) -> Exception:
    return StorageError.mismatch('lock file', f'be {expected}', got, path, 'Remove it')


@contextmanager
def exclusive(
    path: Path,
    doing: str,
    where: Path,
    remedy: str = 'Wait until it ends',
    waiting: Callable[[str], None] | None = None,
    remove: bool = False,
) -> Iterator[None]:
    """Hold a lock while a block runs.

    Args:
        path: of the lock file, in a folder that is there.
        doing: what the block does, such as `training`.
        where: what is locked, for messages.
        remedy: what a user does who finds it locked.
        waiting: is told once for what is waited; where `None`, nobody waits.
        remove: delete the file when the block ends.

    Raises:
        ConfigError: another process holds the lock, and nobody waits.
        StorageError: a symbolic link has the file's name.
        OSError: the folder cannot be written to. A file system without locks is no error: nothing
            is locked there.
    """
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        while locked := _acquired(file, doing, where, remedy, waiting):
            if not remove or _is_at(file, path):
                break
            # Whoever had the lock has removed its file after it was opened here.
            file = stack.enter_context(opened(path))
        if locked:
            sign(file, Holder.this(doing))
            _held.add(file.fileno())
        if remove:
            stack.callback(_remove, path)
        try:
            yield
        finally:
            _held.discard(file.fileno())


def _is_at(file: IO[bytes], path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _remove(path: Path) -> None:
    with suppress(OSError):  # Windows removes no file that is open
        path.unlink()


def _acquired(
    file: IO[bytes],
    doing: str,
    where: Path,
    remedy: str,
    waiting: Callable[[str], None] | None,
) -> bool:
    """Lock a file; return whether its file system has locks."""
    told = asked = False
    while True:
        try:
            if lock_now(file):
                return True
        except OSError:
            return False
        holder = holder_of(file)
        if holder is None and not asked:  # who has just taken a lock is about to sign it
            asked = True
            time.sleep(_POLL_S)
            continue
        if waiting is None:
            raise ConfigError.mismatch(
                str(where),
                f'be used by one process at a time for {doing}',
                str(holder or 'another process'),
                file.name if isinstance(file.name, str) else where,
                remedy,
            )
        if not told:
            waiting(f'waiting for {where}: {holder or "another process"} holds it')
            told = True
        time.sleep(_POLL_S)


def sign(file: IO[bytes], holder: Holder) -> None:
    """Write who holds a lock that this process has.

    What no holder has written is left as it is.
    """
    file.seek(0, os.SEEK_END)
    if file.tell() and holder_of(file) is None:
        return
    content = json.dumps(asdict(holder)).encode()
    with suppress(OSError):  # a full disk keeps nobody from holding a lock
        file.truncate(0)
        file.seek(0)
        if file.write(content) < len(content):  # half a name would count as a stranger's content
            file.truncate(0)


def _forget() -> None:
    """Close a forked child's copies of lock files, which would outlive its parent's."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget)
