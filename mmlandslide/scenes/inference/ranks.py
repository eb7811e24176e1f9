"""Several processes that share the blocks of a scene, started by torchrun on one machine or on many."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

#: How long the first process to finish waits for the last one.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Place:
    """A process among those that share the work.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        local_rank: number of this process on its machine, from 0.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def writes(self) -> bool:
        """Whether this process merges and writes what all have found."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.size > 1:
            from torch import distributed

            distributed.barrier()


@contextmanager
def joined() -> Iterator[Place]:
    """Join the other processes that torchrun started; alone where it did not.

    They exchange nothing but that they are done, over gloo, whatever they compute on. Where one
    fails, torchrun ends the others.

    Yields:
        The place of this process.
    """
    size = int(os.environ.get('WORLD_SIZE', '1'))
    if size == 1 or 'RANK' not in os.environ:
        yield Place()
        return
    from torch import distributed  # seconds, which a process that is alone need not spend

    distributed.init_process_group('gloo', timeout=_PATIENCE)
    place = Place(distributed.get_rank(), size, int(os.environ.get('LOCAL_RANK', '0')))
    yield place
    # only after success: the others may never come to say goodbye
    distributed.destroy_process_group()
