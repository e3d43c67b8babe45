"""Random numbers of a batch that holds several findings: each row draws from its own finding's generator.

Each purpose has numbers of its own, so that a transformation more or less, or another strength, shifts no other draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gifthorse.effects import Placement, place
from gifthorse.randomness import Purposes
from gifthorse.records import Insertion


@dataclass(frozen=True)
class Draws:
    """Rows of a batch, grouped by finding.

    Attributes:
        groups: a generator and its number of rows, in the batch's order. ``R`` rows in all.
        device: where the numbers are wanted; they are drawn on the CPU.
    """

    groups: Sequence[tuple[torch.Generator, int]]
    device: str
    _streams: list[tuple[Purposes, int]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self._streams.extend((Purposes(generator), n) for generator, n in self.groups)

    def _of(self, purpose: str) -> list[tuple[torch.Generator, int]]:
        return [(purposes[purpose], n) for purposes, n in self._streams]

    def uniform(self, purpose: str, columns: int) -> Tensor:
        """``(R, columns)`` in [0, 1)."""
        return torch.cat([torch.rand(n, columns, generator=g) for g, n in self._of(purpose)]).to(self.device)

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """``(R, *shape)`` from N(0, 1)."""
        return torch.cat([torch.randn(n, *shape, generator=g) for g, n in self._of(purpose)]).to(self.device)

    def indices(self, purpose: str, below: int) -> Tensor:
        """``(R,)`` int64, uniform from 0 to ``below`` - 1."""
        return torch.cat([torch.randint(below, (n,), generator=g) for g, n in self._of(purpose)]).to(self.device)

    def places(self, insertion: Insertion, size: int) -> Placement | None:
        """A place for each row in images of ``size`` pixels, or None where the insertion has none."""
        drawn = [where for g, n in self._of("places") if (where := place(insertion, n, size, g)) is not None]
        if not drawn:
            return None
        return Placement(torch.cat([where.tops for where in drawn]), torch.cat([where.lefts for where in drawn]))
