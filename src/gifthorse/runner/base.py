"""What an engine is: it maps a module-level function over items and says of each how it went. No torch here."""

from __future__ import annotations

import contextlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")

_listener: ContextVar[Callable[[Any], None] | None] = ContextVar("_listener", default=None)


def say(word: Any) -> None:
    """Tells whoever asked for the item that this process works on; nobody, where nobody did.

    Args:
        word: small and picklable. Engines may drop words that come too fast.
    """
    listener = _listener.get()
    if listener is not None:
        listener(word)


@contextlib.contextmanager
def listening(listener: Callable[[Any], None] | None) -> Iterator[None]:
    """For the block, words of this process go to ``listener``: for engines."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@dataclass(frozen=True)
class Done(Generic[T, V]):
    """An item whose function returned ``value``."""

    item: T
    value: V


@dataclass(frozen=True)
class Failed(Generic[T]):
    """An item whose function did not return.

    Attributes:
        item: as it was given.
        error: one line, ``ValueError: what it said``.
        traceback: for the record of the failure; it may be empty where a process was killed.
        retryable: whether the same call may well succeed another time: killed, out of time, out of memory.
    """

    item: T
    error: str
    traceback: str
    retryable: bool


class Runner(ABC):
    """An engine. In a ``with`` block it keeps its processes from one :meth:`map` to the next.

    Attributes:
        workers: how many items it works on at once.
    """

    workers: int = 1

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        return None

    def starting(self, start: Callable[[], None]) -> Runner:
        """The same engine, whose other processes call ``start`` before anything else.

        Args:
            start: of module level (or a partial of one). What it sets here, this process has set already.
        """
        return self

    @abstractmethod
    def map(
        self, function: Callable[[T], V], items: Iterable[T], hear: Callable[[T, Any], None] | None = None
    ) -> Generator[Done[T, V] | Failed[T], None, None]:
        """Calls ``function`` on each item, and yields how each went, in the order in which they end.

        Items are taken from ``items`` one at a time, when there is somebody free to work on them. Closing the iterator
        stops the work. A ``KeyboardInterrupt`` or ``SystemExit`` of this process is never turned into a Failed.

        Args:
            function: of module level (or a partial of one), since other processes must find it.
            items: picklable values.
            hear: told of each item what its function says of it (:func:`say`), in this process.
        """


def attempt(function: Callable[[T], V], item: T) -> Done[T, V] | Failed[T]:
    """Calls once, and returns how it went instead of raising: the one place that catches every Exception."""
    try:
        return Done(item, function(item))
    except Exception as error:  # noqa: BLE001 -- an engine reports whatever a cell raises
        return Failed(item, _line(error), "".join(traceback.format_exception(error)), retryable(error))


def retryable(error: BaseException) -> bool:
    """Whether an error is of time or memory, by its type or by what torch says where it has no type for it."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, (MemoryError, TimeoutError)) or "OutOfMemoryError" in names:
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
