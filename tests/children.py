"""Real processes for the durability tests: ``small_cells.py`` as a command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import small_cells
from small_cells import executions

SCRIPT = Path(small_cells.__file__)
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path])}
PATIENCE = 60.0


def command(root: Path, count: int, workers: int = 1, sleep: float = 0.0) -> list[str]:
    return [sys.executable, str(SCRIPT), str(root), str(count), str(workers), str(sleep)]


def start(root: Path, count: int, workers: int = 1, sleep: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(root, count, workers, sleep), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


class Nursery:
    """Starts children of ``nursery.py``, one at a time."""

    def __init__(self) -> None:
        script = SCRIPT.with_name("nursery.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def live(self, root: Path, count: int, seconds: float) -> int:
        """The exit code of a child that works on a run folder, and is killed after ``seconds``."""
        assert self.process.stdout is not None
        self._say(f"{root} {count} 1 0")
        time.sleep(seconds)
        self._say("kill")
        return int(self.process.stdout.readline())


def run(root: Path, count: int, workers: int = 1, sleep: float = 0.0) -> tuple[int, str]:
    """Exit code and stderr of a whole run."""
    with start(root, count, workers, sleep) as child:
        _, said = child.communicate(timeout=PATIENCE)
    return child.returncode, said


def until_executed(root: Path, more_than: int, child: subprocess.Popen[str]) -> None:
    """Waits until a child has begun cells, or is over."""
    limit = time.monotonic() + PATIENCE
    while len(executions(root)) <= more_than and child.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)


def leftovers(root: Path) -> list[str]:
    """What a process that ended well must not leave."""
    return sorted(path.name for name in (".tmp", "claims") for path in (root / name).iterdir())
