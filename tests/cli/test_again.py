"""The same command on a finished run: what is asked again, and what has changed since."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures_output import finish
from fixtures_run import make_run
from PIL import Image

from gifthorse.cli.app import code_of
from gifthorse.cli.options import RunOptions
from gifthorse.cli.talk import Talk
from gifthorse.jobs.asked import finished
from gifthorse.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = make_run(tmp_path / "run")
    finish(made)
    return made


def run(store: Store, *arguments: str, verb: str = "run") -> None:
    where = ["--out", str(store.root)] if verb == "run" else [str(store.root)]
    assert code_of([verb, *where, *arguments], Talk()) == 0


def page(store: Store) -> str:
    return (store.root / "report.html").read_text()


def test_a_finished_run_has_nothing_to_do(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    before = page(store)
    run(store)
    assert "is finished: nothing to do" in capsys.readouterr().err
    assert page(store) == before


def test_a_report_without_inputs_is_written_where_there_is_one_with_them(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, asked = store.keys(), RunOptions().asked()
    run(store, "--without-inputs")
    assert "only its report is written again, without inputs" in capsys.readouterr().err
    without = page(store)
    run(store, "--without-inputs")
    assert "nothing to do" in capsys.readouterr().err
    assert page(store) == without
    run(store, "--json")
    seen = capsys.readouterr()
    assert "only its report is written again, with inputs" in seen.err
    assert json.loads(seen.out)["status"] == "finished"
    assert len(page(store)) > len(without)
    assert store.keys() == keys
    assert finished(store, asked)


def test_what_the_verb_report_wrote_is_known(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run(store, "--without-inputs", verb="report")
    run(store, "--without-inputs")
    assert "nothing to do" in capsys.readouterr().err
    run(store, "--out", str(store.root.parent / "elsewhere.html"), verb="report")
    run(store)
    assert "only its report is written again, with inputs" in capsys.readouterr().err


def test_a_report_of_unknown_contents_is_written_again(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    plan = store.read_plan() or {}
    del plan["inputs"]
    store.write_plan(plan)
    run(store)
    assert "only its report is written again" in capsys.readouterr().err
    assert (store.read_plan() or {})["inputs"] is True


def test_other_photographs_are_another_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    # in processes of their own: a process reads a folder once
    code = "import sys; from gifthorse.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "run", "--net", "efficientnet-lite0", "--data", str(tmp_path), "--dry-run"]

    def request() -> str:
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
        return str(json.loads(done.stdout)["request"])

    before = request()
    assert request() == before
    Image.new("RGB", (8, 8), "red").save(tmp_path / "3.png")
    assert request() != before
