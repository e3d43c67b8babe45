"""The engine of every stage: each cell once, failures beside the units, and books that add up."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from children import ENVIRONMENT, leftovers
from small_cells import cells, contents, draw, evidence, executions, silent

from gifthorse.errors import CorruptUnit, LimitReached
from gifthorse.records import Cell, Cost, Evidence, Failure, cell
from gifthorse.runner import InProcess, LocalProcesses, Runner
from gifthorse.stages import making, work
from gifthorse.stages.work import TRIES, Outcome, Progress, fulfil
from gifthorse.store import Draft, Store
from gifthorse.tables import tidy_tables


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run")


def do(store: Store, wanted: list[Cell], **rest: Any) -> Outcome:
    options: dict[str, Any] = {"runner": InProcess(), "watch": silent} | rest
    return fulfil(store, wanted, **options)


def test_what_is_there_is_not_made_again(store: Store) -> None:
    made = cells(5)
    first = do(store, made[:3])
    assert first == Outcome(done=tuple(each.key for each in made[:3]))
    second = do(store, made)
    assert second.cached == first.done
    assert second.done == tuple(each.key for each in made[3:])
    assert Counter(executions(store.root)) == Counter(each.key for each in made)
    third = do(store, made)
    assert (third.done, third.failed, third.remaining) == ((), (), ())
    assert len(third.cached) == 5


def test_a_finished_run_is_only_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cells(3)
    do(store, made)

    def refuse(self: Store) -> None:
        raise PermissionError

    monkeypatch.setattr(Store, "prepare", refuse)
    monkeypatch.setattr(Store, "sweep", refuse)
    assert len(do(store, made).cached) == 3


def test_a_process_killed_between_its_last_commit_and_clearing_up_is_cleared_up_after(store: Store) -> None:
    made = cells(3)
    do(store, made)
    for left in (".tmp/dead.lock", f"claims/{made[0].key}"):
        (store.root / left).touch()
    (store.root / ".tmp" / "dead").mkdir()
    assert len(do(store, made).cached) == 3
    assert leftovers(store.root) == []


def test_the_same_key_twice_is_one_cell(store: Store) -> None:
    made = cells(2)
    assert len(do(store, made + made).done) == 2
    assert len(executions(store.root)) == 2


@pytest.mark.parametrize("runner", [LocalProcesses(2), LocalProcesses(3)], ids=["2", "3"])
def test_engines_agree_byte_for_byte(store: Store, tmp_path: Path, runner: Runner) -> None:
    made = cells(12)
    do(store, made)
    other = Store(tmp_path / "other")
    outcome = do(other, made, runner=runner)
    assert outcome.done == tuple(each.key for each in made)
    assert contents(other.root) == contents(store.root)
    assert other.verify() == []


def test_the_cost_is_measured_and_counted(store: Store) -> None:
    (made,) = cells(1, sleep=0.05)
    do(store, [made])
    cost = store.get(made.key).cost()
    assert cost is not None
    assert cost.seconds >= 0.05
    assert (cost.forward, cost.backward, cost.attempt) == (3, 2, 1)
    assert cost.peak_bytes > 10**6
    assert cost.host


def hungry(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Holds some memory, and gives it back."""
    size = cell.inputs["megabytes"] * 2**20
    block = bytearray(os.urandom(2**20) * (size // 2**20))
    draft.write("size.txt", str(len(block)).encode())
    return evidence(size)


PEAKS = """
import sys
from pathlib import Path
from test_work import Store, cell, do
store = Store(Path(sys.argv[1]))
made = [cell("evidence", f"{m} MiB", "test_work:hungry", {"megabytes": m}) for m in (200, 1)]
do(store, made)
print(*(store.get(each.key).cost().peak_bytes for each in made))
"""


def test_the_peak_is_that_of_the_cell_and_not_of_those_before(tmp_path: Path) -> None:
    """In a process of its own: in one that keeps much freed memory, a block that fits into that raises no peak."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the kernel does not let a process start its high-water mark anew")
    places = os.pathsep.join([str(Path(__file__).parent), ENVIRONMENT["PYTHONPATH"]])
    command = [sys.executable, "-c", PEAKS, str(tmp_path / "run")]
    said = subprocess.run(command, env=ENVIRONMENT | {"PYTHONPATH": places}, capture_output=True, text=True, check=True)
    large, small = map(int, said.stdout.split())
    assert large - small > 100 * 2**20


def test_the_peak_is_not_that_of_the_process_that_started_this_one() -> None:
    """``getrusage`` keeps a parent's peak over ``exec``."""
    if not os.access("/proc/self/status", os.R_OK):
        pytest.skip("the kernel does not say a process's own peak")
    held = 2**30
    before = bytearray(held)
    before[:: 2**12] = b"x" * (held // 2**12)
    code = f"import sys; sys.path.insert(0, {str(Path(making.__file__).parents[2])!r}); "
    code += "from gifthorse.stages import making; print(making._peak())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(before) > 2 * int(said.stdout)


@pytest.mark.parametrize("runner", [InProcess(), LocalProcesses(2)], ids=["here", "there"])
def test_a_failure_is_noted_and_the_rest_goes_on(store: Store, runner: Runner) -> None:
    made = [*cells(2), *cells(1, "broken"), *cells(1, "starved")]
    outcome = do(store, made, runner=runner)
    assert len(outcome.done) == 2
    broken, starved = outcome.failed
    assert broken.error == "ValueError: seed 0 is unlucky"
    assert "small_cells.py" in broken.traceback
    assert (broken.attempts, broken.retryable, broken.label) == (1, False, "pencil 0")
    assert starved.retryable
    assert sorted(store.failures(), key=lambda f: f.key) == sorted(outcome.failed, key=lambda f: f.key)
    assert not store.has(broken.key)
    assert list((store.root / ".tmp").iterdir()) == []


def test_time_and_memory_are_tried_thrice_the_rest_once(store: Store) -> None:
    broken, starved = cells(1, "broken")[0], cells(1, "starved")[0]
    for attempt in range(1, 6):
        outcome = do(store, [broken, starved])
        assert [failure.attempts for failure in outcome.failed] == [1, min(attempt, TRIES)]
    assert Counter(executions(store.root)) == {broken.key: 1, starved.key: TRIES}
    outcome = do(store, [broken, starved], retry_failed=True)
    assert [failure.attempts for failure in outcome.failed] == [2, TRIES + 1]


def test_a_worker_that_is_killed_is_tried_again(store: Store) -> None:
    (made,) = cells(1, "suicide")
    outcome = do(store, [made, *cells(2)], runner=LocalProcesses(2))
    assert len(outcome.done) == 2
    (failure,) = outcome.failed
    assert "SIGKILL" in failure.error
    assert failure.retryable
    again = do(store, [made], runner=LocalProcesses(2)).failed[0]
    assert again.attempts == 2
    store.sweep()
    assert list((store.root / ".tmp").iterdir()) == []
    assert list((store.root / "claims").iterdir()) == []


def moody(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Fails once."""
    mark = store.root / "tried"
    if not mark.exists():
        mark.touch()
        raise MemoryError
    return evidence(0)


def test_success_forgives_and_says_how_often_it_took(store: Store) -> None:
    made = cell("evidence", "moody", f"{__name__}:moody", {})
    assert len(do(store, [made]).failed) == 1
    assert do(store, [made]).done == (made.key,)
    assert store.failures() == []
    cost = store.get(made.key).cost()
    assert cost is not None
    assert cost.attempt == 2


def full(store: Store, cell: Cell, draft: Draft) -> Evidence:
    raise OSError(28, "No space left on device", "somewhere")


@pytest.mark.parametrize("runner", [InProcess(), LocalProcesses(1)], ids=["here", "there"])
def test_a_full_disk_stops_the_run_and_is_no_failure(store: Store, runner: Runner) -> None:
    made = [*cells(2), cell("evidence", "full", f"{__name__}:full", {}), *cells(4)]
    with pytest.raises(LimitReached, match=r"somewhere.*No space left on device") as caught:
        do(store, made, runner=runner)
    assert caught.value.exit_code == 5
    assert "run the same command again" in caught.value.remedy
    assert store.failures() == []
    assert len(store.keys()) == 2
    assert list((store.root / ".tmp").iterdir()) == []


def reading(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Needs a file of another unit."""
    store.get(cell.inputs["needs"]).array("maps")
    return evidence(0)


@pytest.mark.parametrize("runner", [InProcess(), LocalProcesses(2)], ids=["here", "there"])
def test_a_damaged_unit_stops_the_run_and_its_remedy_helps(store: Store, runner: Runner) -> None:
    """Not a failure of each cell that reads it, which would have to be forgiven before the remedy helps."""
    (first,) = cells(1)
    do(store, [first])
    path = store.get(first.key).path
    damaged = path / "maps.npy"
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    store = Store(store.root)
    wanted = [cell("evidence", f"reader {i}", f"{__name__}:reading", {"needs": first.key, "i": i}) for i in range(3)]
    with pytest.raises(CorruptUnit, match=r"maps\.npy") as caught:
        do(store, wanted, runner=runner)
    assert caught.value.exit_code == 3
    assert f"rm -r {path}" in caught.value.remedy
    assert store.failures() == []
    shutil.rmtree(path)
    assert do(Store(store.root), [first], runner=runner).done == (first.key,)
    assert len(do(Store(store.root), wanted, runner=runner).done) == 3


def unlike(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """While it works, somebody without locks commits the same key with other contents."""
    with Store(store.root).draft(cell) as other:
        other.write("a.txt", b"other")
        store.commit(other, cell, evidence(0), Cost(seconds=0.0))
    draft.write("a.txt", b"ours")
    return evidence(0)


def test_two_contents_of_a_key_are_reported(store: Store) -> None:
    made = cell("evidence", "unlike", f"{__name__}:unlike", {})
    (failure,) = do(store, [made]).failed
    assert failure.error.startswith("Nondeterminism: ")
    assert not failure.retryable
    assert len(store.verify()) == 1
    again = do(store, [made])
    assert (again.cached, again.failed) == ((), (failure,)), "it is said until somebody has settled it"
    (row,) = (row for row in tidy_tables(store)["cost"] if row["status"] == "failed")
    assert row["key"] == made.key
    shutil.rmtree(next(store.root.glob("units/*/*.conflict-*")))
    assert do(store, [made]).cached == (made.key,)
    assert {row["status"] for row in tidy_tables(store)["cost"]} == {"done"}


def test_after_the_deadline_nothing_is_begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cells(3)
    outcome = do(store, made, deadline=time.monotonic() - 1)
    assert outcome == Outcome(remaining=tuple(each.key for each in made))
    assert executions(store.root) == []

    clock = types.SimpleNamespace(monotonic=lambda: len(executions(store.root)), sleep=time.sleep)
    monkeypatch.setattr(work, "time", clock)
    late = cells(8)
    outcome = do(store, late, deadline=5)
    assert outcome == Outcome(done=tuple(c.key for c in late[:5]), remaining=tuple(c.key for c in late[5:]))
    monkeypatch.undo()
    assert len(do(store, late).done) == 3


def test_a_cell_that_another_has_is_waited_for(store: Store) -> None:
    made = cells(4)
    seen: list[str] = []
    begun = threading.Event()

    def watch(progress: Progress) -> None:
        seen.append(progress.event)
        if progress.event == "waits":
            begun.set()

    def other() -> None:
        with Store(store.root).claim(made[0].key):
            taken.set()
            begun.wait(20)
            with store.draft(made[0]) as draft:
                store.commit(draft, made[0], draw(store, made[0], draft), Cost(seconds=0.0))

    taken = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    taken.wait(20)
    outcome = do(store, made, watch=watch)
    thread.join()
    assert outcome.done == tuple(each.key for each in made)
    assert "waits" in seen
    assert len(executions(store.root)) == 4


def test_the_failure_of_another_is_not_repeated(store: Store) -> None:
    """A second process fails the cell while we wait for it: we report that failure and do not run the cell."""
    (made,) = cells(1, "broken")
    other = threading.Event()

    def watch(progress: Progress) -> None:
        other.set()

    def fail_first() -> None:
        with Store(store.root).claim(made.key):
            taken.set()
            other.wait(20)
            store.fail(fabricated)

    fabricated = Failure(
        key=made.key, kind="evidence", label="x", error="elsewhere", traceback="", attempts=1, retryable=False
    )
    taken = threading.Event()
    thread = threading.Thread(target=fail_first)
    thread.start()
    taken.wait(20)
    outcome = do(store, [made], watch=watch)
    thread.join()
    assert outcome.failed == (fabricated,)
    assert executions(store.root) == []


def shares(store: Store, cell: Cell, draft: Draft) -> Evidence:
    for step in range(5):
        time.sleep(0.25)
        draft.progress(step / 4)
    return evidence(0)


@pytest.mark.parametrize("runner", [InProcess(), LocalProcesses(2)], ids=["here", "there"])
def test_progress_adds_up(store: Store, runner: Runner) -> None:
    do(store, cells(2))
    seen: list[Progress] = []
    do(store, [*cells(6), *cells(1, "broken")], watch=seen.append, runner=runner)
    assert [p.event for p in seen if p.event != "starts"] == ["done"] * 4 + ["failed"] or runner.workers > 1
    for before, after in itertools.pairwise(seen):
        assert after.done + after.failed >= before.done + before.failed
        assert after.elapsed >= before.elapsed
    last = seen[-1]
    assert (last.total, last.cached, last.done, last.failed) == (7, 2, 4, 1)
    assert last.seconds_left == 0.0
    assert {p.kind for p in seen} == {"evidence"}
    assert sum(p.event == "starts" for p in seen) == 5


def test_a_long_cell_tells_its_share(store: Store) -> None:
    seen: list[Progress] = []
    made = cell("trained", "long", f"{__name__}:shares", {})
    do(store, [made], watch=seen.append)
    told = [p.share for p in seen if p.event == "works"]
    assert len(told) >= 3
    assert told == sorted(told)
    assert all(0.0 <= share <= 1.0 for share in told)


def test_no_torch_is_imported_by_the_engine() -> None:
    """In a fresh interpreter, since others of this suite import it."""
    code = (
        "import sys; import gifthorse.stages.work, gifthorse.store, gifthorse.runner, gifthorse.gates\n"
        "print([m for m in ('torch', 'torchvision', 'pandas', 'scipy') if m in sys.modules])"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
