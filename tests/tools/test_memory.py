"""Peak memory stays inside a budget whatever the number of samples, above what one image needs: measured by the kernel.

In a child, whose allocator gives every large block back when it is freed, so that one case leaves nothing to the next.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_nets import CLASSES, SIZE, Reused, module

from gifthorse.classifier import MEMORY, TIMES, Classifier

CHILD = Path(__file__).parents[1] / "peaks.py"
BUDGET = 128
"""MiB."""

pytestmark = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the kernel's high-water mark cannot be started anew here"
)


@pytest.fixture(scope="module")
def peaks() -> dict[str, dict[str, int]]:
    steady = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(CHILD), str(BUDGET)], env=os.environ | steady, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


def test_many_samples_stay_inside_the_budget(peaks: dict[str, dict[str, int]]) -> None:
    over = {name: found for name, found in peaks.items() if found["many"] > (BUDGET << 20) + found["one"]}
    assert not over, {name: {of: size >> 20 for of, size in found.items()} for name, found in over.items()}


def test_without_batches_they_would_not(peaks: dict[str, dict[str, int]]) -> None:
    """The test above says nothing of a case that would fit in any way."""
    whole = {name: found for name, found in peaks.items() if "all" in found}
    assert len(whole) == 10
    fitting = {name for name, found in whole.items() if found["all"] <= (BUDGET << 20) + found["one"]}
    assert not fitting


def test_the_default_is_two_gibibytes() -> None:
    assert MEMORY == 2 << 30
    net = Classifier(module(Reused), classes=CLASSES, size=SIZE, device="cpu", memory=1)
    each = TIMES * net._bytes
    net.memory = 8 * each
    assert net.micro_batch == 8
    net.memory -= 1
    assert net.micro_batch == 4
