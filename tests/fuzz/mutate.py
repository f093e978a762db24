"""Small changes to bytes, as many as wanted: what is used where atheris is not, and by the tests."""

import random
from collections.abc import Callable, Sequence
from typing import Final

Change = Callable[[bytearray, Sequence[bytes], random.Random], None]
INTERESTING: Final = [
    b"\0",
    b"\xff",
    b"\x7f\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xf0",
    b"\0\0\0\0",
    b"\xfe\xff\x00\xe0",
]


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of the seeds with one to eight changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        chance.choice(_CHANGES)(data, seeds, chance)
    return bytes(data)


def _flip(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _put(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at, value = chance.randint(0, len(data)), chance.choice(INTERESTING)
    data[at : at + len(value)] = value


def _drop(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    del data[at : at + chance.randint(1, 16)]


def _repeat(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    if len(data) < 1 << 16:
        data[at:at] = data[at : at + chance.randint(1, 64)] * chance.randint(1, 20)


def _splice(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    other = chance.choice(seeds)
    at = chance.randint(0, len(other))
    data[chance.randint(0, len(data)) :] = other[at:]


_CHANGES: Final[list[Change]] = [
    _flip,
    _put,
    _drop,
    _repeat,
    _splice,
]
