"""Several processes of this machine, each working on one item at a time.

``concurrent.futures`` gives up every item in flight when one worker is killed, and cannot say which one did it; here
the death of a worker is the failure of its own item, and another worker takes its place.
"""

from __future__ import annotations

import functools
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from gifthorse.errors import UsageError
from gifthorse.runner.base import Done, Failed, Runner, T, V, attempt

GRACE = 5.0
"""Seconds that a worker has to end before it is killed."""


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

    def starting(self, start: Callable[[], None]) -> LocalProcesses:
        """As :meth:`gifthorse.runner.base.Runner.starting`."""
        return LocalProcesses(self.workers, start)

    def map(self, function: Callable[[T], V], items: Iterable[T]) -> Generator[Done[T, V] | Failed[T], None, None]:
        """As :meth:`gifthorse.runner.base.Runner.map`; closing it ends the workers and frees what they held."""
        crew: list[_Worker] = []
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
                        yield _outcome(worker, crew)
        finally:
            _dismiss(crew)

    def _employ(self, crew: list[_Worker], source: Iterator[Any], function: Callable[[Any], Any]) -> None:
        """Gives an item to everybody who is free, and starts workers while there are items for them."""
        for place in range(self.workers):
            if place < len(crew) and crew[place].busy:
                continue
            for item in source:
                if place < len(crew) and not _give(crew[place], item):
                    _bury(crew.pop(place))  # it died with nothing in hand, so no item has failed
                    crew.insert(place, _employed(function, self.start, item))
                elif place >= len(crew):
                    crew.append(_employed(function, self.start, item))
                break
            else:
                return


def _give(worker: _Worker, item: Any) -> bool:
    """Gives an item to a worker, and says whether there was somebody to take it."""
    try:
        worker.pipe.send(item)
    except ConnectionError:
        return False
    worker.item, worker.busy = item, True
    return True


def _employed(function: Callable[[Any], Any], start: Callable[[], None] | None, item: Any) -> _Worker:
    """A new worker with an item in hand. If it is dead already, its item fails as with any other death."""
    worker = _start(function, start)
    _give(worker, item)
    worker.item, worker.busy = item, True
    return worker


def _bury(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.join(GRACE)


def _start(function: Callable[[Any], Any], start: Callable[[], None] | None) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function, start), daemon=True)
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


def _serve(pipe: Connection, function: Callable[[Any], Any], start: Callable[[], None] | None) -> None:
    """A worker's life: what it starts with, then items in and outcomes out until the pipe ends."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = attempt(_started, start)
    work = functools.partial(_packed, function)
    try:
        while True:
            item = pipe.recv()
            pipe.send(attempt(work, item) if isinstance(begun, Done) else begun)
    except (EOFError, OSError):
        return


def _outcome(worker: _Worker, crew: list[_Worker]) -> Done[Any, Any] | Failed[Any]:
    item, worker.busy = worker.item, False
    try:
        outcome = worker.pipe.recv()
    except (EOFError, OSError):
        crew.remove(worker)
        _bury(worker)
        return _death(item, worker.process.exitcode)
    if isinstance(outcome, Done):
        return Done(item, pickle.loads(outcome.value))
    return Failed(item, outcome.error, outcome.traceback, outcome.retryable)


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
