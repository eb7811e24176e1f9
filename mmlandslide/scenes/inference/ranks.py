"""Ranks of the processes that share the blocks of a scene, started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

#: How long the first process to finish waits for the last one.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class WorkerRank:
    """Rank of a process among those that share the work.

    Attributes:
        rank: of this process, from 0.
        size: number of processes.
        local_rank: of this process on its machine, from 0.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def writes(self) -> bool:
        """Whether this process merges and writes the detections of all."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have called this (a barrier)."""
        if self.size > 1:
            from torch import distributed

            distributed.barrier()


@contextmanager
def init_process_group() -> Iterator[WorkerRank]:
    """Join the process group that torchrun started; one process alone where it did not.

    They exchange nothing but that they are done, over gloo, whatever they compute on. Where one
    fails, torchrun ends the others.

    Yields:
        The rank of this process.
    """
    size = int(os.environ.get('WORLD_SIZE', '1'))
    if size == 1 or 'RANK' not in os.environ:
        yield WorkerRank()
        return
    from torch import distributed  # seconds, which a process that is alone need not spend

    distributed.init_process_group('gloo', timeout=_PATIENCE)
    worker = WorkerRank(distributed.get_rank(), size, int(os.environ.get('LOCAL_RANK', '0')))
    yield worker
    # only after success: the others may never come to say goodbye
    distributed.destroy_process_group()
