"""Randomness that depends on what is being drawn, never on what was drawn before.

A sample's randomness (augmentation, mask, RoI sampling) comes from (seed, epoch, tile id); a step's
(drop path) from (seed, iteration). Nothing depends on the number of workers, on the order of the
batch or on an interruption, so a checkpoint needs no generator state.
"""

import hashlib
from typing import NamedTuple

import numpy as np


class SampleIndex(NamedTuple):
    """What the sampler hands to a dataset.

    The position of a sample and the draw that it belongs to.
    """

    seed: int
    epoch: int
    position: int


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
