"""The engine of every stage: cells in, units out, each computed once whoever works on the run folder.

What is in the store is dropped, the rest is mapped through the runner. Each cell is claimed while it is worked on; one
that another live process has is skipped and looked at again until it is there. To resume is to run again.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gifthorse.records import Cell, Failure
from gifthorse.runner import Done, Failed, Runner
from gifthorse.stages.forecast import Forecast
from gifthorse.stages.making import Made, Task, make
from gifthorse.store import Store

TRIES = 3
"""Attempts at a cell that was killed, out of time or out of memory, before it needs ``retry_failed``."""

NAP, LONG_NAP = 0.05, 1.0
"""Seconds to the first and the last looks at cells that another process has."""

BREATH = 0.2
"""Seconds between two reports of a cell's share: training loops report every step."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a stage is.

    Attributes:
        event: what just happened to the cell: ``starts``, ``works``, ``done``, ``failed``, or ``waits`` (another
            process has it).
        kind: of the cell.
        label: of the cell, for people.
        total: cells asked for; ``cached`` were there before, ``done`` and ``failed`` came since.
        seconds_left: None until it can be told.
        elapsed: seconds since the start.
        share: how much of the cell is done, 0 to 1, where it says so.
    """

    event: str
    kind: str
    label: str
    done: int
    total: int
    cached: int
    failed: int
    seconds_left: float | None
    elapsed: float
    share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a stage ended.

    Attributes:
        done: keys made since the start, by this process or another.
        cached: keys that were there before.
        failed: what could not be made, now or earlier.
        remaining: keys that the deadline left for the next run.
    """

    done: tuple[str, ...] = ()
    cached: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    remaining: tuple[str, ...] = ()


def fulfil(
    store: Store,
    cells: Sequence[Cell],
    *,
    runner: Runner,
    watch: Callable[[Progress], None],
    retry_failed: bool = False,
    deadline: float | None = None,
) -> Outcome:
    """Makes every cell that the store has not, and says how it went.

    Args:
        store: the run folder.
        cells: what is wanted; the same key twice is one cell.
        runner: the engine.
        watch: told of each step.
        retry_failed: try again what failed earlier for whatever reason, not only what was killed or ran out.
        deadline: ``time.monotonic()`` after which no further cell is begun.

    Raises:
        LimitReached: the disk ended. All that is committed stays.
        CorruptUnit: a cell read a damaged unit. It is no failure of the cell: the remedy is the error's own.
        InputError: the run folder cannot be written.
        KeyboardInterrupt, SystemExit: a signal came (SIGTERM exits with 143); no partial unit is left.
    """
    wanted = {cell.key: cell for cell in cells}
    work = _Work(store, runner, watch, deadline)
    work.total = len(wanted)
    tasks = work.sort(wanted.values(), retry_failed)
    if tasks:
        with _stoppable():
            store.prepare()
            work.run(tasks)
    else:  # whoever made the last unit may have been killed between committing it and clearing up
        with contextlib.suppress(OSError):  # a folder that may only be read is complete all the same
            store.sweep()
    order = {key: place for place, key in enumerate(wanted)}
    return Outcome(
        done=tuple(sorted(work.done, key=order.__getitem__)),
        cached=tuple(work.cached),
        failed=tuple(sorted(work.failed.values(), key=lambda failure: order[failure.key])),
        remaining=tuple(sorted(work.remaining, key=order.__getitem__)),
    )


@dataclass
class _Work:
    """The books of one call of :func:`fulfil`."""

    store: Store
    runner: Runner
    watch: Callable[[Progress], None]
    deadline: float | None
    total: int = 0
    done: list[str] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    remaining: list[str] = field(default_factory=list)
    forecast: Forecast = field(default_factory=Forecast)
    told: float = 0.0

    def sort(self, cells: Any, retry_failed: bool) -> list[Task]:
        """Books what is there or has failed for good, and returns the rest."""
        tasks = []
        for cell in cells:
            if self.store.has(cell.key):
                conflict = self.store.conflict(cell.key)
                if conflict is None:
                    self.cached.append(cell.key)
                else:  # it is there, and nobody knows whether it is right: said at every run until it is settled
                    self.failed[cell.key] = conflict
                continue
            failure = self.store.failure(cell.key)
            again = failure is None or retry_failed or (failure.retryable and failure.attempts < TRIES)
            if failure is not None and not again:
                self.failed[cell.key] = failure
            else:
                tasks.append(Task(cell, failure.attempts if failure else 0))
        self.forecast = Forecast(((_pace(task.cell), task.cell.weight) for task in tasks), self.runner.workers)
        return tasks

    def run(self, tasks: list[Task]) -> None:
        """Works until every task is made, failed, or left to the next run; waits for what other processes have."""
        nap = NAP
        while tasks:
            busy: list[Task] = []
            results = self.runner.map(functools.partial(make, self.store), self._hand_out(tasks), self._hear)
            with contextlib.closing(results):
                for result in results:
                    self._book(result, busy)
            nap = NAP if len(busy) < len(tasks) else min(2 * nap, LONG_NAP)
            tasks = busy
            if tasks and not self._late():
                time.sleep(nap)

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _hand_out(self, tasks: list[Task]) -> Iterator[Task]:
        for task in tasks:
            if self._late():
                self.remaining.append(task.cell.key)
                continue
            self._tell("starts", task.cell)
            yield task

    def _book(self, result: Done[Task, Made] | Failed[Task], busy: list[Task]) -> None:
        task, cell = result.item, result.item.cell
        if isinstance(result, Failed):
            failure = Failure(
                key=cell.key,
                kind=cell.kind,
                label=cell.label,
                error=_storable(result.error),
                traceback=_storable(result.traceback),
                attempts=task.attempts + 1,
                retryable=result.retryable,
                context=cell.context,
            )
            self.store.fail(failure)
            self._failed(cell, failure)
        elif result.value.end is not None:
            raise result.value.end
        elif result.value.failure is not None:
            self._failed(cell, result.value.failure)
        elif result.value.busy:
            busy.append(task)
            self._tell("waits", cell)
        else:
            self.done.append(cell.key)
            self.forecast.finish(cell.key, _pace(cell), cell.weight, result.value.seconds)
            self._tell("done", cell)

    def _failed(self, cell: Cell, failure: Failure) -> None:
        self.failed[cell.key] = failure
        self.forecast.finish(cell.key, _pace(cell), cell.weight, None)
        self._tell("failed", cell)

    def _hear(self, task: Task, said: tuple[float, float]) -> None:
        cell, (share, seconds), now = task.cell, said, time.monotonic()
        if now - self.told >= BREATH:
            self.forecast.advance(cell.key, _pace(cell), share * cell.weight, cell.weight, seconds)
            self._tell("works", cell, share)

    def _tell(self, event: str, cell: Cell, share: float = 0.0) -> None:
        self.told = time.monotonic()
        self.watch(
            Progress(
                event=event,
                kind=cell.kind,
                label=cell.label,
                done=len(self.done),
                total=self.total,
                cached=len(self.cached),
                failed=len(self.failed),
                seconds_left=self.forecast.left(),
                elapsed=self.forecast.elapsed(),
                share=share,
            )
        )


def _pace(cell: Cell) -> str:
    """What cells of one pace have in common: the kind of unit, and the tool that makes it."""
    return f"{cell.kind} {cell.context.get('tool', '')}"


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: file names may bring lone surrogates into messages."""
    return text.encode("utf-8", "backslashreplace").decode()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Lets SIGTERM unwind the stack like Ctrl-C does, unless the caller has a handler of its own."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
