"""What the benchmarks have in common: seconds, their spread, and which code was measured."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def seconds(work: Callable[[], object]) -> float:
    """That a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(found: list[float]) -> dict[str, float]:
    """Median, lowest and highest of several figures, and how many there are."""
    return {"median": statistics.median(found), "low": min(found), "high": max(found), "n": len(found)}


def commit_id() -> str:
    """The commit, and whether the checkout differs from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
