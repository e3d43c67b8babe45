"""Random numbers of a batch that holds several findings: each row draws from its own finding's generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gifthorse.effects import Placement, place
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

    def uniform(self, columns: int) -> Tensor:
        """``(R, columns)`` in [0, 1)."""
        return torch.cat([torch.rand(n, columns, generator=g) for g, n in self.groups]).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        """``(R, *shape)`` from N(0, 1)."""
        return torch.cat([torch.randn(n, *shape, generator=g) for g, n in self.groups]).to(self.device)

    def indices(self, below: int) -> Tensor:
        """``(R,)`` int64, uniform from 0 to ``below`` - 1."""
        return torch.cat([torch.randint(below, (n,), generator=g) for g, n in self.groups]).to(self.device)

    def places(self, insertion: Insertion, size: int) -> Placement | None:
        """A place for each row in images of ``size`` pixels, or None where the insertion has none."""
        drawn = [where for g, n in self.groups if (where := place(insertion, n, size, g)) is not None]
        if not drawn:
            return None
        return Placement(torch.cat([where.tops for where in drawn]), torch.cat([where.lefts for where in drawn]))
