"""One item after another in this process: the default, and what tests use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from gifthorse.runner.base import Done, Failed, Runner, T, V, attempt


class InProcess(Runner):
    """Calls the function here, one item after another."""

    def map(self, function: Callable[[T], V], items: Iterable[T]) -> Generator[Done[T, V] | Failed[T], None, None]:
        """As :meth:`gifthorse.runner.base.Runner.map`, in the order of ``items``."""
        for item in items:
            yield attempt(function, item)
