"""Each tool declares what a second run gives, and keeps it (P51)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from children import ENVIRONMENT
from test_tools import PROMISES, Promise, name_of

from gifthorse.tools import TOOLS

SCRIPT = Path(__file__).with_name("levels.py")


@pytest.fixture(scope="module")
def twice() -> list[dict[str, str]]:
    """The hashes of every tool's results, in two fresh processes that run at once."""
    env = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), ENVIRONMENT["PYTHONPATH"]])}
    env |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(SCRIPT)]
    made = [subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) for _ in range(2)]
    return [json.loads(process.communicate()[0]) for process in made]


@pytest.mark.parametrize("promise", PROMISES, ids=name_of)
def test_a_tool_of_level_0_gives_the_same_bytes_in_a_fresh_process(
    promise: Promise, twice: list[dict[str, str]]
) -> None:
    one, other = (found[name_of(promise)] for found in twice)
    if TOOLS[promise.tool].level == "L0":
        assert one == other


def test_every_tool_has_a_level() -> None:
    assert {row.level for row in TOOLS.values()} <= {"L0", "L1", "L2"}
