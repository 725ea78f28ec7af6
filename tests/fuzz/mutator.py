"""Making bad inputs out of good ones, a few microseconds each; the same random numbers always make the same inputs."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec

HUGE_ONCE_IN = 8_000  # tokens; a huge one is as long as thousands of others
JSON_SCALAR = re.compile(rb'("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)')
WORD = re.compile(rb"([^\n:=]+)")


class Seed(NamedTuple):
    """A good input in pieces, and the places of those that can be swapped for others."""

    pieces: list[bytes]
    slots: Sequence[int]

    @property
    def whole(self) -> bytes:
        """The input as it is."""
        return b"".join(self.pieces)


def text_seed(value: bytes, scalar: re.Pattern[bytes]) -> Seed:
    """A text, whose scalars can be swapped."""
    pieces = scalar.split(value)
    return Seed(pieces, range(1, len(pieces), 2))


def msgpack_seed(value: bytes) -> Seed:
    """A msgpack value made of arrays and scalars; scalars, and the heads of arrays, can be swapped."""
    pieces: list[bytes] = []
    slots: list[int] = []

    def add(part: Any) -> None:
        slots.append(len(pieces))
        if isinstance(part, list):
            pieces.append(msgspec.msgpack.encode([None] * len(part))[: -len(part) or None])
            for item in part:
                add(item)
        else:
            pieces.append(msgspec.msgpack.encode(part))

    add(msgspec.msgpack.decode(value))
    return Seed(pieces, slots)


class Mutator:
    """An endless supply of inputs made from `seeds` and hostile `tokens`, a `huge` one now and then."""

    def __init__(self, seeds: Sequence[Seed], tokens: Sequence[bytes], huge: Sequence[bytes], random: Random) -> None:
        self._seeds = seeds
        self._whole = [seed.whole for seed in seeds]
        self._own = [seed.pieces[slot] for seed in seeds for slot in seed.slots]
        self._tokens, self._huge = tokens, huge
        self._random = random
        self._damages: tuple[Callable[[bytearray], None], ...] = (
            self._flip, self._overwrite, self._truncate, self._delete, self._repeat, self._insert, self._splice,
        )  # fmt: skip

    def next(self) -> bytes:
        """One input: a seed with pieces swapped, or bytes damaged, or both; most are nearly good."""
        luck = self._random.random()
        if luck < 0.4:
            return bytes(self._swapped())
        data = self._swapped() if luck < 0.6 else bytearray(self._random.choice(self._whole))
        self._damage(data)
        if luck > 0.9:
            self._damage(data)
        return bytes(data)

    def _swapped(self) -> bytearray:
        random = self._random
        seed = random.choice(self._seeds)
        pieces = seed.pieces.copy()
        pieces[random.choice(seed.slots)] = random.choice(self._own) if random.random() < 0.5 else self._token()
        return bytearray(b"".join(pieces))

    def _token(self) -> bytes:
        rare = self._random.random() < 1 / HUGE_ONCE_IN
        return self._random.choice(self._huge if rare else self._tokens)

    def _damage(self, data: bytearray) -> None:
        self._random.choice(self._damages)(data)

    def _at(self, data: bytearray) -> int:
        return int(self._random.random() * len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] ^= 1 << int(self._random.random() * 8)

    def _overwrite(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] = int(self._random.random() * 256)

    def _truncate(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _delete(self, data: bytearray) -> None:
        start = self._at(data)
        del data[start : start + 1 + int(self._random.random() * 16)]

    def _repeat(self, data: bytearray) -> None:
        start = self._at(data)
        data[start:start] = data[start : start + 1 + int(self._random.random() * 64)]

    def _insert(self, data: bytearray) -> None:
        start = self._at(data)
        data[start:start] = self._token()

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self._whole)
        data[self._at(data) :] = other[int(self._random.random() * len(other)) :]
