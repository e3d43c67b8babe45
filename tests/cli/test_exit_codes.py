"""Every documented exit code, each from a real process (P42)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from children import ENVIRONMENT, SCRIPT

from gifthorse.errors import EXIT_CODES
from gifthorse.store import Store

Process = subprocess.CompletedProcess[str]
GIFTHORSE = [sys.executable, "-m", "gifthorse"]
TINY = [sys.executable, str(SCRIPT.with_name("tiny_command.py"))]
FAILING = [
    "run",
    "--suite",
    "tiny",
    "--tools",
    "failing,blank",
    "--threads",
    "1",
    "--precision",
    "float32",
    "--offline",
]


def completed(*command: str) -> Process:
    env = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def bug(root: Path) -> Process:
    broken = (
        "import sys; from gifthorse.cli import app, look\n"
        "def broken(*a, **k): raise ZeroDivisionError('oh')\n"
        "look.opened = broken\n"
        "sys.argv = ['gifthorse', 'status', 'x']; app.main()\n"
    )
    done = completed(sys.executable, "-c", broken)
    kept = Path(done.stderr.split("report it with ")[1].strip())
    assert "ZeroDivisionError" in kept.read_text()
    kept.unlink()
    return done


def failed_cells(root: Path) -> Process:
    done = completed(*TINY, *FAILING, "--out", str(root), "--json")
    told = json.loads(done.stdout)
    assert (told["status"], told["report"]) == ("failed cells", str(root / "report.html"))
    assert {row["tool"] for row in told["tables"]["cost"] if row["status"] == "failed"} == {"failing"}
    assert "error GH400: 1 cells failed; the first, " in done.stderr
    assert "this tool always fails" in done.stderr
    assert Path(told["report"]).is_file()
    return done


def limit(root: Path) -> Process:
    done = completed(*GIFTHORSE, "run", "--max-time", "0s", "--tools", "blank", "--out", str(root))
    assert "goes on where it stopped" in done.stderr
    return done


def signalled(number: signal.Signals) -> Callable[[Path], Process]:
    """A real run that is stopped by a signal, with nothing half-made left."""

    def stopped(root: Path) -> Process:
        command = [*GIFTHORSE, "run", "--suite", "emoji12_dev", "--tools", "blank", "--out", str(root)]
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as running:
            assert running.stderr is not None
            first = running.stderr.readline()
            assert first.startswith("implant: 0 of 4"), first
            running.send_signal(number)
            out, rest = running.communicate(timeout=150)
        if number == signal.SIGINT:
            assert "the same command goes on" in rest
        store = Store(root)
        assert not store.keys()
        assert not store.verify()
        return Process(command, running.returncode, out, rest)

    return stopped


MADE: dict[int, Callable[[Path], Process]] = {
    0: lambda root: completed(*GIFTHORSE, "list"),
    1: bug,
    2: lambda root: completed(*GIFTHORSE, "run", "--suite", "emoji21"),
    3: lambda root: completed(*GIFTHORSE, "status", str(root)),
    4: failed_cells,
    5: limit,
    130: signalled(signal.SIGINT),
    143: signalled(signal.SIGTERM),
}


@pytest.mark.parametrize("code", MADE)
def test_every_exit_code_comes_from_a_process(code: int, tmp_path: Path) -> None:
    done = MADE[code](tmp_path / "run")
    assert done.returncode == code, done.stderr
    if 0 < code < 100:
        assert re.search(r"^error GH\d{3}: .+\n  try: .+", done.stderr, re.MULTILINE)


def test_these_are_the_documented_codes() -> None:
    assert list(MADE) == list(EXIT_CODES)
