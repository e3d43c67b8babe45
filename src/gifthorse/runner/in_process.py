"""One item after another in this process: what notebooks and tests use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable
from typing import Any

from gifthorse.runner.base import Done, Failed, Runner, T, V, attempt, listening


class InProcess(Runner):
    """Calls the function here, one item after another."""

    def map(
        self, function: Callable[[T], V], items: Iterable[T], hear: Callable[[T, Any], None] | None = None
    ) -> Generator[Done[T, V] | Failed[T], None, None]:
        """As :meth:`gifthorse.runner.base.Runner.map`, in the order of ``items``."""
        for item in items:
            with listening(functools.partial(hear, item) if hear else None):
                result = attempt(function, item)
            yield result
