"""How long the rest will take: a moving average for each kind of cell, times the weight that is left."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

ENOUGH = 3
"""Cells measured before a forecast is given, or ``PATIENCE`` seconds."""

PATIENCE = 60.0
WINDOW = 10
"""Last cells of a kind that its average is taken over."""


class Forecast:
    """The time left of a stage.

    Args:
        cells: kind and weight of each cell to be made.
        workers: cells worked on at once.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        cells: Iterable[tuple[str, float]] = (),
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left: dict[str, float] = defaultdict(float)
        self._count = 0
        for kind, weight in cells:
            self._left[kind] += weight
            self._count += 1
        self._workers = workers
        self._clock = clock
        self._start = clock()
        self._seen: dict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._measured = 0
        self._shown: float | None = None

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def finish(self, kind: str, weight: float, seconds: float | None) -> None:
        """Books a cell that is over, and its seconds where it was made here."""
        self._left[kind] -= weight
        self._count -= 1
        if seconds is not None:
            self._seen[kind].append((weight, seconds))
            self._measured += 1

    def left(self) -> float | None:
        """Seconds left, or None while too little was measured.

        Between two calls it changes by a factor of two at most, up or down, until nothing is left.
        """
        if self._count <= 0:
            return 0.0
        if self._measured == 0 or (self._measured < ENOUGH and self.elapsed() < PATIENCE):
            return None
        everything = [pair for pairs in self._seen.values() for pair in pairs]
        seconds = sum(max(left, 0.0) * _rate(self._seen.get(kind) or everything) for kind, left in self._left.items())
        fresh = seconds / min(self._workers, self._count)
        if self._shown:
            fresh = min(max(fresh, self._shown / 2), self._shown * 2)
        self._shown = fresh
        return fresh


def _rate(pairs: Iterable[tuple[float, float]]) -> float:
    weight = seconds = 0.0
    for one, took in pairs:
        weight += one
        seconds += took
    return seconds / weight if weight else 0.0
