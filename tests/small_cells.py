"""Cells without torch, importable by child processes, and a command line that runs them on a folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng  # now: a signal that comes while an extension module is loaded may be lost

from gifthorse.errors import GifthorseError, LimitReached
from gifthorse.records import Cell, Evidence, Spec, cell
from gifthorse.runner import local
from gifthorse.stages.work import Outcome, Progress, fulfil
from gifthorse.store import Draft, Store


def note(store: Store, text: str) -> None:
    """Appends a line to a log beside the run folder, in one write."""
    log = os.open(store.root.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{text}\n".encode())
    os.close(log)


def draw(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Two files drawn from the cell's seed."""
    note(store, cell.key)
    generator = default_rng(cell.inputs["seed"])
    draft.array("maps", generator.standard_normal((4, 8)).astype(np.float32))
    time.sleep(cell.context.get("sleep", 0.0))
    pictures = draft.images("pictures", generator.integers(0, 256, (2, 4, 8, 8), dtype=np.uint8))
    (draft.path / "notes.txt").write_text(f"seed {cell.inputs['seed']}\n")
    draft.keep("notes.txt")
    draft.count(forward=3, backward=2)
    return evidence(cell.inputs["seed"], pictures=pictures, maps="maps.npy", explained=4)


def evidence(seed: int, **rest: Any) -> Evidence:
    return Evidence(
        tool=Spec(name="pencil", version=1), kind="attribution", network="toy", trojan="dot", seed=seed, **rest
    )


def broken(store: Store, cell: Cell, draft: Draft) -> Evidence:
    note(store, cell.key)
    draft.write("half.bin", b"half")
    raise ValueError(f"seed {cell.inputs['seed']} is unlucky")


def starved(store: Store, cell: Cell, draft: Draft) -> Evidence:
    note(store, cell.key)
    raise MemoryError("no more")


def suicide(store: Store, cell: Cell, draft: Draft) -> Evidence:
    note(store, cell.key)
    draft.write("half.bin", b"half")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def cells(count: int, function: str = "draw", **context: Any) -> list[Cell]:
    return [
        cell("evidence", f"pencil {seed}", f"small_cells:{function}", {"seed": seed, "function": function},
             context=context, weight=1.0 + seed % 3)
        for seed in range(count)
    ]  # fmt: skip


def silent(progress: Progress) -> None:
    pass


def contents(root: Path) -> dict[str, bytes]:
    """Every file of every unit but the costs, by its place."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "units").rglob("*"))
        if path.is_file() and path.name != "cost.json"
    }


def executions(root: Path) -> list[str]:
    log = root.with_suffix(".log")
    return log.read_text().split() if log.exists() else []


def work(root: Path, count: int, workers: int, sleep: float) -> Outcome:
    return fulfil(Store(root), cells(count, sleep=sleep), runner=local(workers), watch=silent)


def main(arguments: list[str]) -> int:
    """``small_cells.py ROOT COUNT WORKERS SLEEP``: what a command line makes of an outcome."""
    root, count, workers, sleep = arguments
    try:
        outcome = work(Path(root), int(count), int(workers), float(sleep))
    except LimitReached as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except GifthorseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 4 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
