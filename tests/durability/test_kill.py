"""kill -9 at random moments: the same files as an uninterrupted run, nothing computed twice (P1, P2, P3, P7)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import PATIENCE, Nursery, leftovers, run, start, until_executed
from small_cells import cells, contents, executions, silent

from gifthorse.errors import GifthorseError
from gifthorse.runner import InProcess
from gifthorse.stages.work import fulfil
from gifthorse.store import Store

COUNT = 40
ROUNDS = 50


class Watcher(threading.Thread):
    """Looks into ``units/`` every 5 ms, and verifies each folder that it has not seen yet."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.seen: set[str] = set()
        self.partial: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            self.look()

    def look(self) -> None:
        for folder in (self.root / "units").glob("*/*"):
            if folder.name in self.seen:
                continue
            self.seen.add(folder.name)
            try:
                unit = Store(self.root).get(folder.name)
                for name in unit.files:
                    unit.file(name)
            except GifthorseError as error:
                self.partial.append(str(error))

    def stop(self) -> None:
        self.over.set()
        self.join()
        self.look()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted run leaves."""
    store = Store(tmp_path_factory.mktemp("whole") / "run")
    fulfil(store, cells(COUNT), runner=InProcess(), watch=silent)
    return contents(store.root)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a kill tests no power cut, and waiting for a disk would be most of it."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def as_if_nothing_happened(root: Path, whole: dict[str, bytes], watcher: Watcher, spare: int) -> None:
    assert contents(root) == whole
    assert watcher.partial == []
    assert watcher.seen == set(Store(root).keys())
    assert 0 <= len(executions(root)) - COUNT <= spare
    assert Store(root).verify() == []
    assert Store(root).failures() == []
    assert leftovers(root) == []


def test_killed_fifty_times_and_run_again(folder: Path, whole: dict[str, bytes]) -> None:
    chance = random.Random(20)
    kills: list[int] = []
    with Nursery() as nursery:
        while sum(kills) < ROUNDS:
            root = folder / f"run-{len(kills)}"
            watcher = Watcher(root)
            watcher.start()
            kills.append(0)
            while (code := nursery.live(root, COUNT, chance.uniform(0, 0.1))) != 0:
                assert code == -signal.SIGKILL
                kills[-1] += 1
            watcher.stop()
            as_if_nothing_happened(root, whole, watcher, spare=kills[-1])
    assert max(kills) > 1, "no run was killed a second time"


def test_killed_with_workers_and_run_again(folder: Path, whole: dict[str, bytes]) -> None:
    """Workers outlive a killed parent by the cell in hand, and the next run gets along with them."""
    chance = random.Random(21)
    root = folder / "run"
    watcher = Watcher(root)
    watcher.start()
    kills = 4
    for number in range(kills):
        with start(root, COUNT, 2, sleep=0.01) as child:
            until_executed(root, 8 * number + 2, child)
            time.sleep(chance.uniform(0, 0.05))
            child.kill()
    assert run(root, COUNT, 2) == (0, "")
    watcher.stop()
    settle(root)
    as_if_nothing_happened(root, whole, watcher, spare=2 * kills)


def settle(root: Path) -> None:
    limit = time.monotonic() + PATIENCE
    while leftovers(root) and time.monotonic() < limit:
        time.sleep(0.05)
        Store(root).sweep()


def test_two_processes_share_a_run_folder(tmp_path: Path, whole: dict[str, bytes]) -> None:
    root = tmp_path / "run"
    with start(root, COUNT, sleep=0.01) as one, start(root, COUNT, sleep=0.01) as two, start(root, COUNT, 2) as three:
        for child in (one, two, three):
            _, said = child.communicate(timeout=PATIENCE)
            assert child.returncode == 0, said
    assert contents(root) == whole
    assert Counter(executions(root)) == Counter(each.key for each in cells(COUNT))
    assert leftovers(root) == []


def test_one_of_two_is_killed_and_the_other_ends_well(tmp_path: Path, whole: dict[str, bytes]) -> None:
    root = tmp_path / "run"
    with start(root, COUNT, sleep=0.02) as one, start(root, COUNT, sleep=0.02) as two:
        until_executed(root, 6, one)
        one.kill()
        _, said = two.communicate(timeout=PATIENCE)
        assert two.returncode == 0, said
    assert contents(root) == whole
    assert len(executions(root)) - COUNT <= 1
    Store(root).sweep()
    assert leftovers(root) == []


def test_the_cell_of_a_sleeping_process_is_waited_for(tmp_path: Path) -> None:
    """A stopped process is alive: its claim holds. Killed, its claim is free at once."""
    root = tmp_path / "run"
    with start(root, 3, sleep=0.3) as sleeper:
        until_executed(root, 0, sleeper)
        sleeper.send_signal(signal.SIGSTOP)
        with start(root, 3) as other:
            until_executed(root, 2, other)
            limit = time.monotonic() + PATIENCE
            while len(Store(root).keys()) < 2 and time.monotonic() < limit:
                time.sleep(0.01)
            time.sleep(0.3)
            assert other.poll() is None
            assert len(Store(root).keys()) == 2
            with contextlib.suppress(ProcessLookupError):
                os.kill(sleeper.pid, signal.SIGKILL)
            _, said = other.communicate(timeout=PATIENCE)
            assert other.returncode == 0, said
    assert len(executions(root)) == 4
    assert len(Store(root).keys()) == 3


def test_run_again_computes_nothing(tmp_path: Path, whole: dict[str, bytes]) -> None:
    root = tmp_path / "run"
    assert run(root, COUNT) == (0, "")
    assert run(root, COUNT) == (0, "")
    assert len(executions(root)) == COUNT
    assert contents(root) == whole
