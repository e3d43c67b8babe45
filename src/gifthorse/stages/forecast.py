"""How long the rest will take: a moving average for each kind of cell, times the weight that is left."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

ENOUGH = 3
"""Cells measured before a forecast is given, or ``PATIENCE`` seconds."""

PATIENCE = 10.0

SETTLED = 3.0
"""Seconds that a cell at work must have told its share for, before its own pace is believed."""

WINDOW = 10
"""Last cells of a kind that its average is taken over."""


class Forecast:
    """The time left of a stage.

    Args:
        cells: kind and weight of each cell to be made; cells of one kind take time in proportion to their weights.
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
        self._first: dict[str, tuple[float, float]] = {}
        self._now: dict[str, tuple[str, float, float, float]] = {}
        self._shown: float | None = None

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def advance(self, key: str, kind: str, done: float, weight: float, seconds: float) -> None:
        """Books the part of a cell that is done: its weight so far, of its whole one, and the seconds that it took.

        Its pace is taken from the first report on: what came before was preparation, which is not repeated.
        """
        self._first.setdefault(key, (done, seconds))
        self._now[key] = (kind, done, weight, seconds)

    def finish(self, key: str, kind: str, weight: float, seconds: float | None) -> None:
        """Books a cell that is over, and its seconds where it was made here."""
        self._now.pop(key, None)
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
        seen = {kind: list(pairs) for kind, pairs in self._seen.items()}
        left = dict(self._left)
        longest = 0.0
        for key, (kind, done, whole, took) in self._now.items():
            left[kind] -= done
            before, started = self._first[key]
            if took - started >= SETTLED:
                seen.setdefault(kind, []).append((done - before, took - started))
                longest = max(longest, (whole - done) * _rate([(done - before, took - started)]))
        everything = [pair for pairs in seen.values() for pair in pairs]
        if not _rate(everything) or (self._measured < ENOUGH and self.elapsed() < PATIENCE):
            return None
        seconds = sum(max(weight, 0.0) * _rate(seen.get(kind) or everything) for kind, weight in left.items())
        fresh = max(longest, seconds / min(self._workers, self._count))  # nobody helps with the last cell
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
