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
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"{workers} workers cannot work", "give 1 or more")
        self.workers = workers

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
                if place >= len(crew):
                    crew.append(_start(function))
                worker = crew[place]
                worker.item, worker.busy = item, True
                worker.pipe.send(item)
                break
            else:
                return


def _start(function: Callable[[Any], Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function), daemon=True)
    process.start()
    # With our copy open, the death of the worker would never end the pipe.
    theirs.close()
    return _Worker(process, ours)


def _packed(function: Callable[[Any], Any], item: Any) -> bytes:
    """A value is pickled inside the attempt, so that one that cannot be is a failure of its item."""
    return pickle.dumps(function(item))


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """A worker's life: items in, outcomes out, until the pipe ends."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work = functools.partial(_packed, function)
    try:
        while True:
            pipe.send(attempt(work, pipe.recv()))
    except (EOFError, OSError):
        return


def _outcome(worker: _Worker, crew: list[_Worker]) -> Done[Any, Any] | Failed[Any]:
    item, worker.busy = worker.item, False
    try:
        outcome = worker.pipe.recv()
    except (EOFError, OSError):
        crew.remove(worker)
        worker.pipe.close()
        worker.process.join(GRACE)
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
