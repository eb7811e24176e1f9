"""Randomness that depends on what is being drawn, never on what was drawn before.

A sample's randomness (augmentation, mask, RoI sampling) comes from (seed, epoch, tile id); a step's
(drop path) from (seed, iteration). Nothing depends on the number of workers, on the order of the
batch or on an interruption, so a checkpoint needs no generator state.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np


class SampleIndex(int):
    """Position of a sample, with the draw that it belongs to: what the sampler hands to a dataset.

    It is an integer, and the arithmetic by which the hosts' dataset wrappers find a sample keeps
    the draw: `ConcatDataset` subtracts, `RepeatDataset` takes the remainder, whose quotient tells
    one repetition of a tile from another.

    Args:
        seed: of the run.
        epoch: number of the pass over the data.
        position: in the dataset.
        repeats: which repetition of the sample within the epoch, one number per repeating wrapper.
    """

    seed: int
    epoch: int
    repeats: tuple[int, ...]

    def __new__(
        cls, seed: int, epoch: int, position: int, repeats: tuple[int, ...] = ()
    ) -> 'SampleIndex':
        """Return the index; `int` fixes its value here."""
        index = super().__new__(cls, position)
        index.seed, index.epoch, index.repeats = seed, epoch, repeats
        return index

    def __getnewargs__(self) -> tuple[int, int, int, tuple[int, ...]]:  # type: ignore[override]
        """Let a worker process get the draw, too."""
        return self.seed, self.epoch, int(self), self.repeats

    @property
    def position(self) -> int:
        """Return the position alone."""
        return int(self)

    def at(self, position: int, *repeats: int) -> 'SampleIndex':
        """Return another position of the same draw, or a repetition of it."""
        return SampleIndex(self.seed, self.epoch, position, (*self.repeats, *repeats))

    def __add__(self, other: int) -> 'SampleIndex':
        """Return the position moved up."""
        return self.at(int(self) + int(other))

    __radd__ = __add__

    def __sub__(self, other: int) -> 'SampleIndex':
        """Return the position moved down."""
        return self.at(int(self) - int(other))

    def __mod__(self, length: int) -> 'SampleIndex':
        """Return the position within a dataset that is gone through again and again."""
        repeat, position = divmod(int(self), int(length))
        return self.at(position, repeat)

    def key(self, tile_id: str) -> int:
        """Return the key of a tile in this draw; the first repetition has that of the tile."""
        return key(self.seed, self.epoch, tile_id, *(self.repeats if any(self.repeats) else ()))


class DrawnPositions(list[int]):
    """Positions by which a wrapper repeats samples: asked with a draw, they answer with it.

    `ClassBalancedDataset` looks a position up in a list, where arithmetic cannot keep the draw.
    """

    def __init__(self, positions: Iterable[int]) -> None:
        super().__init__(positions)
        seen: Counter[int] = Counter()
        self._repeats = []
        for position in self:
            self._repeats.append(seen[position])
            seen[position] += 1

    def __getitem__(self, index: Any) -> Any:
        """Return a position, one of the same draw where the index is of one."""
        position = super().__getitem__(index)
        if isinstance(index, SampleIndex):
            return index.at(position, self._repeats[index])
        return position


def key(*parts: int | str) -> int:
    """Return a 63-bit key that is a pure function of its parts.

    Args:
        parts: such as seed, epoch and tile id.

    Returns:
        An integer in [0, 2**63), so that it fits a signed 64-bit tensor.
    """
    digest = hashlib.blake2b('\x1f'.join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator seeded by `key(*parts)`."""
    return np.random.default_rng(key(*parts))
