"""Several processes of this machine, each working on one item at a time.

``concurrent.futures`` gives up every item in flight when one worker is killed, and cannot say which one did it; here
the death of a worker is the failure of its own item, and another worker takes its place.
"""

from __future__ import annotations

import functools
import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from gifthorse.errors import UsageError
from gifthorse.runner.base import Done, Failed, Runner, T, V, attempt, listening

GRACE = 5.0
"""Seconds that a worker has to end before it is killed."""

BREATH = 0.2
"""Seconds between two words of a worker; those between are dropped."""


@dataclass(frozen=True)
class _Word:
    """What a worker says of the item in its hands."""

    word: Any


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    item: Any = None
    busy: bool = False


class LocalProcesses(Runner):
    """Spawned worker processes.

    Args:
        workers: how many.
        start: what each calls before anything else: a spawned process has nothing of what was set in this one. Of
            module level, or a partial of one.
    """

    def __init__(self, workers: int, start: Callable[[], None] | None = None) -> None:
        if workers < 1:
            raise UsageError(f"{workers} workers cannot work", "give 1 or more")
        self.workers = workers
        self.start = start
        self._kept: list[_Worker] | None = None

    def __enter__(self) -> LocalProcesses:
        self._kept = []
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        _dismiss(self._kept or [])
        self._kept = None

    def starting(self, start: Callable[[], None]) -> LocalProcesses:
        """As :meth:`gifthorse.runner.base.Runner.starting`."""
        return LocalProcesses(self.workers, start)

    def map(
        self, function: Callable[[T], V], items: Iterable[T], hear: Callable[[T, Any], None] | None = None
    ) -> Generator[Done[T, V] | Failed[T], None, None]:
        """As :meth:`gifthorse.runner.base.Runner.map`.

        Closing it ends the workers that are busy, and outside a ``with`` block all, with what they held.
        """
        crew = [] if self._kept is None else self._kept
        source = iter(items)
        try:
            while True:
                self._employ(crew, source, function)
                busy = [worker for worker in crew if worker.busy]
                if not busy:
                    return
                ready = wait([worker.pipe for worker in busy])
                for worker in busy:
                    if worker.pipe in ready:
                        said = _said(worker, crew)
                        if not isinstance(said, _Word):
                            yield said
                        elif hear is not None:
                            hear(worker.item, said.word)
        finally:
            leaving = [worker for worker in crew if worker.busy or self._kept is None]
            crew[:] = [worker for worker in crew if worker not in leaving]
            _dismiss(leaving)

    def _employ(self, crew: list[_Worker], source: Iterator[Any], function: Callable[[Any], Any]) -> None:
        """Gives an item to everybody who is free, and starts workers while there are items for them."""
        for place in range(self.workers):
            if place < len(crew) and crew[place].busy:
                continue
            for item in source:
                if place < len(crew) and not _give(crew[place], function, item):
                    _bury(crew.pop(place))  # it died with nothing in hand, so no item has failed
                    crew.insert(place, _employed(self.start, function, item))
                elif place >= len(crew):
                    crew.append(_employed(self.start, function, item))
                break
            else:
                return


def _give(worker: _Worker, function: Callable[[Any], Any], item: Any) -> bool:
    """Gives an item to a worker, and says whether there was somebody to take it."""
    try:
        worker.pipe.send((function, item))
    except ConnectionError:
        return False
    worker.item, worker.busy = item, True
    return True


def _employed(start: Callable[[], None] | None, function: Callable[[Any], Any], item: Any) -> _Worker:
    """A new worker with an item in hand. If it is dead already, its item fails as with any other death."""
    worker = _start(start)
    _give(worker, function, item)
    worker.item, worker.busy = item, True
    return worker


def _bury(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.join(GRACE)


def _start(start: Callable[[], None] | None) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, start), daemon=True)
    process.start()
    # With our copy open, the death of the worker would never end the pipe.
    theirs.close()
    return _Worker(process, ours)


def _packed(function: Callable[[Any], Any], item: Any) -> bytes:
    """A value is pickled inside the attempt, so that one that cannot be is a failure of its item."""
    return pickle.dumps(function(item))


def _started(start: Callable[[], None] | None) -> None:
    if start is not None:
        start()


class _Mouth:
    """Sends what is said to the other end of a pipe, one word a breath."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.said = 0.0

    def __call__(self, word: Any) -> None:
        now = time.monotonic()
        if now - self.said >= BREATH:
            self.said = now
            self.pipe.send(_Word(word))


def _serve(pipe: Connection, start: Callable[[], None] | None) -> None:
    """A worker's life: what it starts with, then items in, words and outcomes out until the pipe ends."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = attempt(_started, start)
    try:
        with listening(_Mouth(pipe)):
            while True:
                function, item = pipe.recv()
                work = functools.partial(_packed, function)
                pipe.send(attempt(work, item) if isinstance(begun, Done) else begun)
    except (EOFError, OSError):
        return


def _said(worker: _Worker, crew: list[_Worker]) -> Done[Any, Any] | Failed[Any] | _Word:
    """What comes out of a worker's pipe; where that ends, its item has failed."""
    item = worker.item
    try:
        said = worker.pipe.recv()
    except (EOFError, OSError):
        worker.busy = False
        crew.remove(worker)
        _bury(worker)
        return _death(item, worker.process.exitcode)
    if isinstance(said, _Word):
        return said
    worker.busy = False
    if isinstance(said, Done):
        return Done(item, pickle.loads(said.value))
    return Failed(item, said.error, said.traceback, said.retryable)


def _death(item: Any, code: int | None) -> Failed[Any]:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        return Failed(item, f"its worker process was killed by {name} (out of memory, perhaps)", "", retryable=True)
    return Failed(item, f"its worker process ended by itself with exit code {code}", "", retryable=False)


def _dismiss(crew: list[_Worker]) -> None:
    for worker in crew:
        worker.pipe.close()
        if worker.busy:
            worker.process.terminate()
    for worker in crew:
        worker.process.join(GRACE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()
