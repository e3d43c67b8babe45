"""Random numbers of a batch that holds several findings: each row draws from its own finding's generator.

Each purpose has numbers of its own, so that a transformation more or less, or another strength, shifts no other draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gifthorse.effects import Placement, place
from gifthorse.randomness import Purposes
from gifthorse.records import Insertion


class Draws:
    """Rows of a batch, grouped by finding.

    Args:
        groups: a finding's generators and its number of rows, in the batch's order. ``R`` rows in all.
        device: where the numbers are wanted; they are drawn on the CPU.
    """

    def __init__(self, groups: Sequence[tuple[Purposes, int]], device: str) -> None:
        self.device = device
        self._streams = list(groups)
        self._rows = slice(None)
        self._drawn: dict[tuple[str, int], Tensor] = {}
        self._asked: Counter[str] = Counter()

    def part(self, start: int, stop: int) -> Draws:
        """The draws of some of the whole's rows, which are what they are there, whatever the parts."""
        made = Draws([], self.device)
        made._streams, made._drawn, made._rows = self._streams, self._drawn, slice(start, stop)
        return made

    def _of(self, purpose: str, draw: Callable[[torch.Generator, int], Tensor]) -> Tensor:
        """All rows' numbers are drawn at once, when the first part asks, and kept while any part lives, so that they do
        not depend on how large parts are. Who asks again for a purpose gets others; every part asks for the same."""
        name = (purpose, self._asked[purpose])
        self._asked[purpose] += 1
        if name not in self._drawn:
            self._drawn[name] = torch.cat([draw(purposes[purpose], n) for purposes, n in self._streams])
        return self._drawn[name][self._rows]

    def uniform(self, purpose: str, columns: int) -> Tensor:
        """``(R, columns)`` in [0, 1)."""
        return self._of(purpose, lambda g, n: torch.rand(n, columns, generator=g)).to(self.device)

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """``(R, *shape)`` from N(0, 1)."""
        return self._of(purpose, lambda g, n: torch.randn(n, *shape, generator=g)).to(self.device)

    def indices(self, purpose: str, below: int) -> Tensor:
        """``(R,)`` int64, uniform from 0 to ``below`` - 1."""
        return self._of(purpose, lambda g, n: torch.randint(below, (n,), generator=g)).to(self.device)

    def places(self, insertion: Insertion, size: int) -> Placement | None:
        """A place for each row in images of ``size`` pixels, or None where the insertion has none."""

        def corners(g: torch.Generator, n: int) -> Tensor:
            where = place(insertion, n, size, g)
            return torch.zeros(n, 0) if where is None else torch.stack(where, 1)

        drawn = self._of("places", corners)
        return Placement(*drawn.unbind(1)) if drawn.shape[1] else None
