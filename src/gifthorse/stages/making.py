"""How one cell becomes a unit, in whichever process the runner chose."""

from __future__ import annotations

import contextlib
import importlib
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse import disk
from gifthorse.errors import CorruptUnit, LimitReached
from gifthorse.records import Cell, Cost, Failure, Phase
from gifthorse.runner import say
from gifthorse.store import Store


@dataclass(frozen=True)
class Task:
    """A cell to make, and how often that was tried before."""

    cell: Cell
    attempts: int


@dataclass(frozen=True)
class Made:
    """What a worker says: seconds where it made the unit, or why it did not.

    Attributes:
        end: what ends the whole run and is no failure of this cell: the disk is full, or a unit that it reads is
            damaged. Every other cell would meet the same, and once it is mended nothing needs to be forgiven.
    """

    seconds: float | None = None
    busy: bool = False
    failure: Failure | None = None
    end: LimitReached | CorruptUnit | None = None


def make(store: Store, task: Task) -> Made:
    """Makes one cell's unit, in whichever process the runner chose, unless somebody else does or did.

    It says what share of it is done, and after how many seconds.
    """
    cell = task.cell
    try:
        with store.claim(cell.key) as mine:
            if not mine:
                return Made(busy=True)
            if store.has(cell.key):
                return Made()
            earlier = store.failure(cell.key)
            if earlier is not None and earlier.attempts > task.attempts:
                return Made(failure=earlier)
            seconds = _compute(store, task)
            if earlier is not None:
                store.forgive(cell.key)
            return Made(seconds=seconds)
    except (LimitReached, CorruptUnit) as end:
        return Made(end=end)


def _compute(store: Store, task: Task) -> float:
    cell = task.cell
    _reset_peak()
    start = time.perf_counter()

    def watch(share: float) -> None:
        say((share, time.perf_counter() - start))

    with store.draft(cell, watch) as draft:
        with disk.Ending(draft.path):
            record = _load(cell.function)(store, cell, draft)
        seconds = time.perf_counter() - start
        cost = Cost(
            seconds=seconds,
            forward=draft.forward,
            backward=draft.backward,
            peak_bytes=_peak(),
            host=platform.node(),
            attempt=task.attempts + 1,
            phases=tuple(Phase(name=name, seconds=taken) for name, taken in draft.phases.items()),
        )
        store.commit(draft, cell, record, cost)
    return seconds


def _load(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _reset_peak() -> None:
    """Starts the kernel's high-water mark anew, where it lets us; otherwise the peak is that of the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Peak resident bytes.

    Linux keeps what ``getrusage`` says over ``exec``: a worker would answer for the process that started it. So the
    kernel's own mark is read where there is one. Linux counts in KiB, macOS in bytes.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
