"""The speeds among the promises: commit, start-up, a finished run again, signals, verification, engines, scenes.

    .venv/bin/python benchmarks/promises.py             prints, and writes benchmarks/results/promises.json
    .venv/bin/python benchmarks/promises.py --only store,start

Where two things are compared they are measured in turns, so that a busy machine slows both; the ratio is the figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from measuring import commit_id, seconds  # noqa: E402
from small_cells import cells, draw, silent  # noqa: E402

from gifthorse.jobs.asked import versions  # noqa: E402
from gifthorse.records import Cost  # noqa: E402
from gifthorse.runner import InProcess, LocalProcesses  # noqa: E402
from gifthorse.stages.work import fulfil  # noqa: E402
from gifthorse.store import Store  # noqa: E402
from gifthorse.zoo.scenes import EmojiScenes  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]), "NO_COLOR": "1"}
TINY = ["tests/tiny_command.py", "run", "--suite", "tiny", "--precision", "float32", "--threads", "1"]
TINY_TOOLS = ["--tools", "saliency,edges_sobel,blank,adversarial_patch,truth,noise"]


def in_turns(rounds: int, **works: Callable[[], object]) -> dict[str, list[float]]:
    """Seconds of each, one after another, ``rounds`` times."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            took[name].append(seconds(work))
    return took


def told(took: list[float]) -> dict[str, float]:
    return {"median": statistics.median(took), "low": min(took), "high": max(took), "n": len(took)}


def ratio(took: dict[str, list[float]], above: str, below: str) -> float:
    """Median of the ratios of neighbours."""
    return statistics.median(a / b for a, b in zip(took[above], took[below], strict=True))


def python(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=check
    )


def store_times(folder: Path) -> dict[str, Any]:
    """A commit against the same bytes written to one file and synced; verification against hashing alone."""
    store = Store(folder / "run")
    store.prepare()
    made = iter(cells(10_000))

    def commit() -> None:
        cell = next(made)
        with store.claim(cell.key), store.draft(cell) as draft:
            store.commit(draft, cell, draw(store, cell, draft), Cost(seconds=0.0))

    def synced_file() -> None:
        with (folder / "bare").open("wb") as file:
            file.write(b"x" * 2000)
            file.flush()
            os.fsync(file.fileno())

    took = in_turns(150, commit=commit, synced_file=synced_file)
    large = Store(folder / "large")
    array = np.random.default_rng(0).integers(0, 256, 64 << 20, dtype=np.uint8)
    cell = cells(1)[0]
    with large.draft(cell) as draft:
        draft.array("maps", array)
        large.commit(draft, cell, {}, Cost(seconds=0.0))
    data = array.tobytes()
    read = in_turns(5, verify=large.verify, hash_alone=lambda: hashlib.sha256(data).digest())
    return {
        "commit_seconds": told(took["commit"]),
        "commit_over_one_synced_file": ratio(took, "commit", "synced_file"),
        "verify_bytes_per_second": len(data) / statistics.median(read["verify"]),
        "verify_over_hash_alone": ratio(read, "verify", "hash_alone"),
    }


def start_times(folder: Path) -> dict[str, Any]:
    """``--version``, ``--help`` and ``list`` against an interpreter that does nothing. Promised: under 0.5 s."""
    verbs = {"help": ["--help"], "version": ["--version"], "list": ["list"]}
    works = {name: lambda a=arguments: python("-m", "gifthorse", *a) for name, arguments in verbs.items()}
    took = in_turns(9, nothing=lambda: python("-c", "pass"), **works)
    figures: dict[str, Any] = {f"{name}_seconds": told(took[name]) for name in took}
    for name in verbs:
        figures[f"{name}_over_nothing"] = ratio(took, name, "nothing")
    return figures


def again_times(folder: Path) -> dict[str, Any]:
    """A finished run, run again. Promised: under 2 s, and no torch."""
    out = ["--out", str(folder / "tiny")]
    first = seconds(lambda: python(*TINY, *TINY_TOOLS, *out))
    took = in_turns(5, again=lambda: python(*TINY, *TINY_TOOLS, *out), nothing=lambda: python("-c", "pass"))
    return {
        "first_seconds": first,
        "again_seconds": told(took["again"]),
        "again_over_nothing": ratio(took, "again", "nothing"),
        "again_over_first": statistics.median(took["again"]) / first,
    }


def signal_times(folder: Path) -> dict[str, Any]:
    """From the signal to the end of the process, in the middle of a cell. Promised: within 10 s."""
    figures: dict[str, Any] = {}
    for name, number in (("interrupt", signal.SIGINT), ("terminate", signal.SIGTERM)):
        for workers in (1, 2):
            took = [stopped(folder / f"{name}-{workers}-{turn}", workers, number) for turn in range(3)]
            figures[f"{name}_{workers}_workers_seconds"] = told(took)
    return figures


def stopped(root: Path, workers: int, number: int) -> float:
    arguments = ["tests/small_cells.py", str(root), "4", str(workers), "30"]
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT) as child:
        while not root.with_suffix(".log").exists():
            time.sleep(0.01)
        child.send_signal(number)
        return seconds(child.wait)


def engine_times(folder: Path) -> dict[str, Any]:
    """Cells that only sleep 50 ms: what an engine adds, and what a second worker saves."""
    count, nap = 40, 0.05
    turn = iter(range(100))

    def through(workers: int) -> Callable[[], object]:
        runner = InProcess() if workers == 1 else LocalProcesses(workers)
        return lambda: fulfil(
            Store(folder / f"engine-{next(turn)}"), cells(count, sleep=nap), runner=runner, watch=silent
        )

    took = in_turns(3, one=through(1), two=through(2))
    return {
        "one_worker_seconds": told(took["one"]),
        "two_workers_seconds": told(took["two"]),
        "overhead_per_cell_seconds": statistics.median(took["one"]) / count - nap,
        "two_over_one": ratio(took, "two", "one"),
    }


def world_times(folder: Path) -> dict[str, Any]:
    """Scenes of the emoji world on one core, against a copy of as many bytes. Promised: 1,000 a second."""
    scenes, count, seed = EmojiScenes(), 2_000, iter(range(100))
    scenes.draw("train", 200, next(seed))
    blank = np.zeros((count, 3, scenes.size, scenes.size), np.uint8)
    took = in_turns(5, draw=lambda: scenes.draw("train", count, next(seed)), copy=blank.copy)
    return {
        "scenes_per_second": count / statistics.median(took["draw"]),
        "draw_over_copy": ratio(took, "draw", "copy"),
    }


FIGURES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "store": store_times,
    "start": start_times,
    "again": again_times,
    "signals": signal_times,
    "engines": engine_times,
    "world": world_times,
}


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "load_before": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FIGURES), help="families of figures, separated by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "promises.json")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and theirs, ignore it
    result: dict[str, Any] = {"machine": machine(), "versions": versions(), "commit": commit_id(), "figures": {}}
    for name in chosen.only.split(","):
        with tempfile.TemporaryDirectory(prefix="gifthorse-", dir=ROOT / "benchmarks") as folder:
            figures = FIGURES[name](Path(folder))
        result["figures"][name] = figures
        for key, value in figures.items():
            print(f"{name:8} {key:34} {value['median'] if isinstance(value, dict) else value:.4g}")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
