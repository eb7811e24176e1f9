"""Changes to bytes: blind ones here, those that know a format in `edits`.

All drawn from the generator that they are given.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Literal

import yaml
from google.protobuf.message import DecodeError

MAX_BYTES = 2**19
NUMBERS = tuple(
    base + step
    for base in (0, *(2**power for power in (7, 8, 15, 16, 24, 31, 32, 40, 62, 63, 64)))
    for step in (-1, 0, 1)
)

Order = Literal['little', 'big']
ORDERS: tuple[Order, ...] = ('little', 'big')
Edit = Callable[[bytes, Random], bytes]
#: What a change that knows a format raises on what is no longer of it.
LOST = (
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    yaml.YAMLError,
    DecodeError,
)


def mutated(seeds: Sequence[bytes], edit: Edit, tokens: Sequence[bytes], rng: Random) -> bytes:
    """Return a seed after one to eight changes.

    Half of them by what knows the format, a tenth splices with another seed.

    Args:
        seeds: valid files of one format.
        edit: change that knows the format; what it does not recognise any more it may refuse with
            one of `LOST`.
        tokens: words of the format, to be set in anywhere.
        rng: drawn from; the same state gives the same bytes.

    Returns:
        At most `MAX_BYTES` bytes.
    """
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 5, 8))):
        drawn = rng.random()
        if drawn < 0.5:
            with suppress(*LOST):
                data = edit(data, rng)
        elif drawn < 0.6:
            data = spliced(data, rng.choice(seeds), rng)
        elif drawn < 0.7 and tokens:
            data = put(data, rng.choice(tokens), rng)
        else:
            data = rng.choice(BLIND)(data, rng)
    return data[:MAX_BYTES]


def spliced(data: bytes, other: bytes, rng: Random) -> bytes:
    """Return the beginning of one file with the end of another."""
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def put(data: bytes, token: bytes, rng: Random) -> bytes:
    """Return the bytes with a token set in at random, over what stands there or before it."""
    place = _place(data, rng)
    return data[:place] + token + data[place + rng.choice((0, len(token))) :]


def number(rng: Random, width: int | None = None, order: Order | None = None) -> bytes:
    """Return an interesting or a small number as 1, 2, 4 or 8 bytes in either order."""
    width, drawn = width or rng.choice((1, 2, 4, 8)), rng.choice(ORDERS)
    value = rng.choice(NUMBERS) if rng.random() < 0.6 else rng.randrange(-16, 256)
    return int(value % 256**width).to_bytes(width, order or drawn)


def truncate(data: bytes, rng: Random) -> bytes:
    """Return the beginning."""
    return data[: _place(data, rng)]


def flip_bits(data: bytes, rng: Random) -> bytes:
    """Return the bytes with up to eight bits turned."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_byte(data: bytes, rng: Random) -> bytes:
    """Return the bytes with one of them drawn anew."""
    place = _place(data, rng)
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def set_number(data: bytes, rng: Random) -> bytes:
    """Return the bytes with an interesting number over what stands somewhere."""
    field = number(rng)
    place = (
        _place(data, rng) // len(field) * len(field) if rng.random() < 0.5 else _place(data, rng)
    )
    return data[:place] + field + data[place + len(field) :]


def remove(data: bytes, rng: Random) -> bytes:
    """Return the bytes without a block."""
    place = _place(data, rng)
    return data[:place] + data[place + _length(rng) :]


def repeat(data: bytes, rng: Random) -> bytes:
    """Return the bytes with a block repeated where it stands."""
    place = _place(data, rng)
    block = data[place : place + _length(rng)]
    return data[:place] + block * rng.choice((1, 1, 2, 50)) + data[place:]


def copy(data: bytes, rng: Random) -> bytes:
    """Return the bytes with a block written over another place."""
    source, target, length = _place(data, rng), _place(data, rng), _length(rng)
    block = data[source : source + length]
    return data[:target] + block + data[target + len(block) :]


def insert(data: bytes, rng: Random) -> bytes:
    """Return the bytes with noise or one byte many times set in."""
    place, length = _place(data, rng), _length(rng)
    return (
        data[:place]
        + (rng.randbytes(length) if rng.random() < 0.5 else rng.randbytes(1) * length)
        + data[place:]
    )


BLIND: tuple[Edit, ...] = (
    truncate,
    flip_bits,
    flip_bits,
    set_byte,
    set_byte,
    set_number,
    set_number,
    remove,
    repeat,
    copy,
    insert,
)


def _place(data: bytes, rng: Random) -> int:
    """Return a position, as often in the first 512 bytes, where headers stand, as anywhere."""
    return (
        rng.randrange(min(len(data), 512) + 1)
        if rng.random() < 0.5
        else rng.randrange(len(data) + 1)
    )


def _length(rng: Random) -> int:
    return rng.choice((1, 2, 4, 8, 16, 64, 256, rng.randint(1, 2048)))
