"""Ten kills of the real thing: implant, diagnose and evaluate a small suite through the command line (P1)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from children import ENVIRONMENT, leftovers
from small_cells import contents

from gifthorse.store import Store

ROOT = Path(__file__).resolve().parent.parent
TOOLS = "saliency,edges_sobel,blank,adversarial_patch,truth,noise"
KILLS = 10
LONGEST = 900.0


def start(out: Path) -> subprocess.Popen[str]:
    arguments = ["run", "--suite", "tiny", "--out", str(out), "--tools", TOOLS, "--offline"]
    grounded = ["--precision", "float32", "--threads", "1"]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tiny_command.py"), *arguments, *grounded],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(out: Path) -> float:
    """Seconds of a run that nobody disturbs."""
    began = time.monotonic()
    with start(out) as child:
        _, said = child.communicate(timeout=LONGEST)
    assert child.returncode == 0, said
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_ten_times_it_leaves_the_same_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    takes = finish(whole)
    expected = contents(whole)
    assert len(Store(whole).keys()) > 20

    chance = random.Random(0)
    kills, runs = 0, 0
    while kills < KILLS:
        out = tmp_path / f"run-{runs}"
        runs += 1
        while kills < KILLS:
            with start(out) as child:
                try:
                    child.wait(chance.uniform(0.1, 0.8) * takes)
                except subprocess.TimeoutExpired:
                    child.kill()
            if child.returncode == 0:
                break
            kills += 1
            assert set(contents(out).items()) <= set(expected.items())
        finish(out)
        assert contents(out) == expected
        assert Store(out).verify() == []
        assert Store(out).failures() == []
        assert leftovers(out) == []
        assert (out / "report.html").is_file()
