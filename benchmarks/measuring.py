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


COMMIT = commit_id()
"""Before the first result changes the checkout."""

LOAD = os.getloadavg()[0]
"""Of the machine, before anything was measured."""


def keep(name: str, told: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Write what was measured to ``benchmarks/results/NAME.json``, or where the command line says.

    Args:
        told: the command line, with ``quick``, ``threads`` and ``out``; a quick one is written only where it says so.
        figures: by name.
    """
    out = _where(name, told)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(_about(told) | figures, indent=1) + "\n", encoding="utf-8")


def kept(name: str, told: argparse.Namespace, *, any_commit: bool = False) -> dict[str, Any]:
    """What was measured on the same machine with the same libraries before; nothing if that is not so.

    Args:
        any_commit: also what other code of ours measured: where each figure says its commit.
    """
    out = _where(name, told)
    if out is None or not out.exists():
        return {}
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    own = _about(told)
    same = all(found.get(key) == own[key] for key in ("versions", "quick"))
    same = same and (any_commit or str(found["commit"]).removesuffix("-dirty") == COMMIT.removesuffix("-dirty"))
    alike = {key: value for key, value in own["machine"].items() if key != "load_before"}
    return found if same and alike.items() <= found["machine"].items() else {}


def _where(name: str, told: argparse.Namespace) -> Path | None:
    return told.out or (None if told.quick else ROOT / "benchmarks" / "results" / f"{name}.json")


def _about(told: argparse.Namespace) -> dict[str, Any]:
    return {
        "machine": machine() | {"python": platform.python_version(), "threads": told.threads, "load_before": LOAD},
        "versions": versions(),
        "commit": COMMIT,
        "quick": told.quick,
    }
