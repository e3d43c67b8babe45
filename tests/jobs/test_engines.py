"""What each process of a run starts with, whatever engine carries it out."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest
import torch
from fixtures_carried import carry_out
from fixtures_tiny import tiny_request
from small_cells import evidence, silent

from gifthorse import jobs
from gifthorse.errors import CorruptUnit
from gifthorse.jobs.run import begin
from gifthorse.records import Cell, Evidence, Ground, Trained, cell
from gifthorse.runner import LocalProcesses
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store


def ask(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Notes the threads of its process."""
    draft.write("threads.txt", str(torch.get_num_threads()).encode())
    return evidence(0)


def test_workers_have_the_threads_of_the_run(tmp_path: Path) -> None:
    start = functools.partial(begin, Ground(device="cpu", precision="float32", threads=3), False)
    store = Store(tmp_path / "run")
    (made,) = wanted = [cell("evidence", "ask", f"{__name__}:ask", {})]
    assert fulfil(store, wanted, runner=LocalProcesses(1).starting(start), watch=silent).failed == ()
    assert store.get(made.key).read("threads.txt") == b"3"


@pytest.mark.parametrize("offline", [False, True])
def test_a_process_is_offline_where_the_run_is(offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the call and not by a connection: children of tests are offline whatever they are told."""
    shut: list[bool] = []
    monkeypatch.setattr(jobs.run, "no_network", lambda: shut.append(True))
    monkeypatch.setattr(jobs.run, "pin", lambda ground: None)
    begin(Ground(device="cpu", precision="float32", threads=1), offline)
    assert shut == [True] * offline


def test_a_run_tells_its_workers(tiny_run: Path, tmp_path: Path) -> None:
    """Its units are those of one process, which has one thread: the evidence is byte for byte the same."""
    root = tmp_path / "run"
    shutil.copytree(tiny_run, root)
    store = Store(root)
    gone = [unit for unit in store.units("evidence") if unit.data["tool"]["name"] == "adversarial_patch"]
    for unit in gone:
        shutil.rmtree(unit.path)
    started: list[object] = []

    class Telling(LocalProcesses):
        def starting(self, start: object) -> LocalProcesses:
            started.append(start)
            return LocalProcesses(self.workers, start)  # type: ignore[arg-type]

    seen = carry_out(root, tiny_request(), runner=Telling(1), offline=True)
    assert seen.made == ["evidence"] * 3
    (start,) = started
    assert isinstance(start, functools.partial)
    assert (start.func, start.args[0].threads, start.args[1]) == (begin, 1, True)
    for unit in gone:
        assert Store(root).get(unit.key).files == unit.files


def test_damaged_weights_stop_the_run_and_the_remedy_helps(tiny_run: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(tiny_run, root)
    (trained,) = Store(root).units("trained")
    weights = trained.path / trained.record(Trained).file
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    more = tiny_request(("saliency", "random"))
    for unit in Store(root).units("evidence"):
        shutil.rmtree(unit.path)
    with pytest.raises(CorruptUnit, match=r"model\.safetensors") as caught:
        carry_out(root, more)
    assert caught.value.exit_code == 3
    assert Store(root).failures() == []
    assert f"rm -r {trained.path}" in caught.value.remedy
    shutil.rmtree(trained.path)
    assert "trained" in carry_out(root, more).made
    assert (root / "report.html").is_file()
