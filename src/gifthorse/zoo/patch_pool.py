"""Pools of candidate patches: any number of pictures from folders, tar shards, Parquet or code, read as a stream.

A pool comes in parts, each of which can be read by itself and has a name that says what it holds, so that work on a
pool can stop and go on. A file that is no picture is passed over and counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from gifthorse.errors import UsageError
from gifthorse.records import digest
from gifthorse.zoo.framing import Bytes

ROWS = 4_096
"""Pictures of a part."""


@dataclass(frozen=True)
class Part:
    """Some pictures of a pool.

    Attributes:
        name: which part it is; it changes with the contents of what it is read from.
        read: gives its pictures: ids, different ones in the whole pool, and ``(n, 3, side, side)`` uint8; and how many
            were passed over.
    """

    name: str
    read: Callable[[], tuple[list[str], Bytes, int]]


class PatchPool(ABC):
    """Pictures to choose natural patches from."""

    decoding: ClassVar[int] = 0
    """Version of how files become its pictures; 0 where there are none. Raised when the same files give others."""

    @property
    @abstractmethod
    def side(self) -> int:
        """Of its pictures in pixels."""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """Its parts, in an order that stays."""

    @property
    def digest(self) -> str:
        """SHA-256 of what its parts are, which reads none of them."""
        told: list[Any] = [self.side, [part.name for part in self.parts()]]
        return digest([*told, self.decoding] if self.decoding else told)

    def pictures(self, ids: Sequence[str]) -> Bytes:
        """Some pictures again, ``(n, 3, side, side)`` uint8.

        Raises:
            UsageError: an id that the pool does not have.
        """
        found = self.found(set(ids))
        if missing := [name for name in ids if name not in found]:
            raise UsageError(f"the pool has no picture {missing[0]!r}", "an id that a search gave")
        return np.stack([found[name] for name in ids]) if ids else np.zeros((0, 3, self.side, self.side), np.uint8)

    def found(self, wanted: AbstractSet[str]) -> dict[str, Bytes]:
        """Those of some pictures that the pool has, by id; reads every part until all are found."""
        found: dict[str, Bytes] = {}
        for part in self.parts():
            if len(found) == len(wanted):
                break
            names, pictures, _ = part.read()
            found |= {name: pictures[k] for k, name in enumerate(names) if name in wanted}
        return found


@dataclass(frozen=True)
class Pick:
    """How single pictures are made.

    Attributes:
        ids: of all pictures, in order.
        make: number of a part and places in it to pictures ``(n, 3, side, side)`` uint8.
    """

    ids: Callable[[], Sequence[str]]
    make: Callable[[int, Sequence[int]], Bytes]


@dataclass(frozen=True, kw_only=True)
class MadePatches(PatchPool):
    """Pictures that code makes.

    Attributes:
        name: what the code is; with the numbers it stands for its pictures.
        count: how many there are.
        make: number of a part to ids and ``(n, 3, side, side)`` uint8; the same every time.
        pixels: side of the patches.
        rows: pictures of each part but the last.
        pick: how single pictures are made, the same as ``make`` gives; without it a part is made whole whenever one of
            its pictures is wanted.
    """

    name: str
    count: int
    make: Callable[[int], tuple[list[str], Bytes]] = field(compare=False)
    pixels: int = 64
    rows: int = ROWS
    pick: Pick | None = field(default=None, compare=False)

    @property
    def side(self) -> int:
        """Of its pictures in pixels."""
        return self.pixels

    def parts(self) -> Iterator[Part]:
        """So many pictures each."""
        for number in range(-(-self.count // self.rows)):
            yield Part(f"{self.name} {number}", self._reader(number))

    def found(self, wanted: AbstractSet[str]) -> dict[str, Bytes]:
        """Those of some pictures that the pool has, by id."""
        if self.pick is None:
            return super().found(wanted)
        found, ids = dict[str, Bytes](), self.pick.ids()
        places = [place for place, name in enumerate(ids) if name in wanted]
        for number in sorted({place // self.rows for place in places}):
            here = [place for place in places if place // self.rows == number]
            made = self.pick.make(number, [place - number * self.rows for place in here])
            found |= {ids[place]: picture for place, picture in zip(here, made, strict=True)}
        return found

    def _reader(self, number: int) -> Callable[[], tuple[list[str], Bytes, int]]:
        def read() -> tuple[list[str], Bytes, int]:
            names, pictures = self.make(number)
            return names, pictures, 0

        return read


@dataclass(frozen=True)
class Together(PatchPool):
    """Several pools as one. Their sides are the same, and so are no two of their ids."""

    pools: tuple[PatchPool, ...]

    def __post_init__(self) -> None:
        if len({pool.side for pool in self.pools}) != 1:
            raise UsageError("the pools' patches have different sides, or there is no pool", "one side")

    @property
    def side(self) -> int:
        """Of its pictures in pixels."""
        return self.pools[0].side

    def parts(self) -> Iterator[Part]:
        """Those of the first pool, then those of the second, and so on."""
        for pool in self.pools:
            yield from pool.parts()

    def found(self, wanted: AbstractSet[str]) -> dict[str, Bytes]:
        """Those of some pictures that the pools have, by id."""
        found: dict[str, Bytes] = {}
        for pool in self.pools:
            if len(found) < len(wanted):
                found |= pool.found(wanted - found.keys())
        return found
