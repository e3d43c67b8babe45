"""What the benchmarks have in common: seconds, their spread, which code was measured where, and the file of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from gifthorse.jobs.asked import versions  # noqa: E402
from gifthorse.jobs.run import machine  # noqa: E402


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


LOAD = os.getloadavg()[0]
"""Of the machine, before anything was measured."""


def keep(name: str, told: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Write what was measured to ``benchmarks/results/NAME.json``, or where the command line says.

    Args:
        told: the command line, with ``quick``, ``threads`` and ``out``; a quick one is written only where it says so.
        figures: by name.
    """
    found = {
        "machine": machine() | {"python": platform.python_version(), "threads": told.threads, "load_before": LOAD},
        "versions": versions(),
        "commit": commit_id(),
        "quick": told.quick,
    }
    out = told.out or (None if told.quick else ROOT / "benchmarks" / "results" / f"{name}.json")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found | figures, indent=1) + "\n", encoding="utf-8")
