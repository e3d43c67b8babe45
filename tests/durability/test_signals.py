"""Ctrl-C and SIGTERM: out within seconds, no partial unit, and the next run goes on (P8)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from children import PATIENCE, leftovers, run, start, until_executed
from small_cells import contents, executions

from gifthorse.store import Store

COUNT = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("whole") / "run"
    assert run(root, COUNT) == (0, "")
    return contents(root)


def stop(child: subprocess.Popen[str], number: int, group: bool) -> tuple[int, str]:
    """Signals a child, or its whole group as a terminal does, and waits."""
    os.killpg(child.pid, number) if group else child.send_signal(number)
    _, said = child.communicate(timeout=PATIENCE)
    return child.returncode, said


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGINT, False, 130), (signal.SIGINT, True, 130), (signal.SIGTERM, False, 143)],
    ids=["interrupt", "ctrl-c", "terminate"],
)
def test_a_signal_leaves_no_partial_unit(
    tmp_path: Path, whole: dict[str, bytes], workers: int, number: int, group: bool, code: int
) -> None:
    root = tmp_path / "run"
    with start(root, COUNT, workers, sleep=20.0 if workers == 1 else 2.0) as child:
        until_executed(root, workers - 1, child)
        assert stop(child, number, group) == (code, "")
    if workers == 1:
        assert leftovers(root) == []
    done = Store(root).keys()
    assert Store(root).verify() == []
    assert Store(root).failures() == []
    before = len(executions(root))
    assert run(root, COUNT) == (0, "")
    assert len(executions(root)) - before == COUNT - len(done)
    assert contents(root) == whole
    assert leftovers(root) == []
