"""A real run that is stopped: the exit code says by what, and nothing half-made is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gifthorse.store import Store


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_so_and_leaves_no_half_unit(number: signal.Signals, code: int, tmp_path: Path) -> None:
    root = tmp_path / "run"
    running = subprocess.Popen(
        [sys.executable, "-m", "gifthorse", "run", "--suite", "emoji12_dev", "--tools", "blank", "--out", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert running.stderr is not None
    first = running.stderr.readline()
    assert first.startswith("implant: 0 of 4"), first
    running.send_signal(number)
    _, rest = running.communicate(timeout=60)
    assert running.returncode == code, rest
    if number == signal.SIGINT:
        assert "the same command goes on" in rest
    store = Store(root)
    assert not store.keys()
    assert not store.verify()


def test_the_time_given_ends_a_run_with_5(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gifthorse",
            "run",
            "--max-time",
            "0s",
            "--tools",
            "blank",
            "--out",
            str(tmp_path / "run"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "goes on where it stopped" in done.stderr
