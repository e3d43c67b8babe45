"""The command line as a program: exit codes, streams, did-you-mean, JSON, configuration files."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fixtures_run
import pytest
from fixtures_run import make_run
from fixtures_suite import TILE

from gifthorse import disk, registry
from gifthorse.cli import app as door
from gifthorse.cli import look
from gifthorse.cli.options import RunOptions, seconds_of, settings_of
from gifthorse.cli.summary import captioned, gates, missed, rate, summarise, why
from gifthorse.cli.talk import Talk, spelt
from gifthorse.errors import UsageError
from gifthorse.jobs.asked import CONTROLS
from gifthorse.tools import TOOLS


def gifthorse(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gifthorse", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "120"} | (env or {}),
    )


def code(*arguments: str) -> int:
    return door.code_of(list(arguments), Talk())


@pytest.mark.parametrize(
    ("arguments", "expected", "told"),
    [
        (["--version"], 0, ""),
        (["list"], 0, ""),
        (["run", "--suite", "emoji21"], 2, "did you mean 'emoji12'"),
        (["run", "--tools", "oclusion"], 2, "did you mean 'occlusion'"),
        (["run", "--protocol", "quik"], 2, "did you mean 'quick'"),
        (["run", "--sute", "emoji12"], 2, "--suite"),
        (["run", "--set", "occlusion"], 2, "TOOL.SETTING=VALUE"),
        (["run", "--set", "oclusion.window=3"], 2, "did you mean 'occlusion'"),
        (["run", "--max-time", "soon"], 2, "20m"),
        (["run", "--max-time", "nan"], 2, "20m"),
        (["run", "--max-time", "inf"], 2, "20m"),
        (["run", "--max-time=-5s"], 2, "20m"),
        (["run", "--workers", "0"], 2, "--workers 1"),
        (["run", "--data", "photos"], 2, "--net"),
        (["run", "--trojans", "clownfish"], 2, "--net"),
        (["run", "--suite", "emoji12", "--net", "efficientnet-lite0", "--data", "x"], 2, "leave one of them out"),
        (["run", "--set", "occlusion.windoww=3", "--dry-run"], 2, "did you mean 'window'"),
        (["run", "--set", "occlusion.window=wide", "--dry-run"], 2, "window = 'wide'"),
        (["list", "--config", "x.toml"], 2, "--config"),
        (["run", "--net", "efficientnet-lite0"], 2, "--data"),
        (["rnu"], 2, "run"),
        (["list", "tols"], 2, "did you mean 'tools'"),
        (["status", "nowhere"], 3, "no run folder"),
        (["run", "--config", "nowhere.toml"], 3, "nowhere.toml"),
    ],
)
def test_exit_codes_and_what_is_told(
    arguments: list[str],
    expected: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code(*arguments) == expected
    seen = capsys.readouterr()
    assert told in " ".join(seen.err.split())
    if expected:
        assert "try:" in seen.err
        assert not list(tmp_path.iterdir()), "a mistake leaves nothing behind"


def test_status_exits_with_3_though_nobody_reads(tmp_path: Path) -> None:
    store = make_run(tmp_path / "run")
    (store.root / "plan.json").write_bytes(b"{}")
    with subprocess.Popen(
        [sys.executable, "-m", "gifthorse", "status", str(store.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as made:
        assert made.stdout is not None
        made.stdout.close()
        assert made.wait(60) == 3


def test_list_has_every_tool_with_its_source() -> None:
    found = json.loads(gifthorse("list", "--json").stdout)
    names = {row["name"] for row in found["tools"]}
    assert {"saliency", "occlusion", "edges_sobel", "adversarial_patch", "cppn_target", "truth", "noise"} <= names
    assert all(row["source"] and row["kind"] and row["version"] for row in found["tools"])
    assert {"emoji12", "emoji12_dev"} <= {row["name"] for row in found["suites"]}


def test_verify_names_the_flipped_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_run(tmp_path / "run")
    assert code("status", str(store.root), "--verify") == 0
    unit = next(unit for unit in store.units("evidence") if unit.files)
    path = unit.path / sorted(unit.files)[0]
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    capsys.readouterr()
    assert code("status", str(store.root), "--verify") == 3
    assert f"damaged: {path}" in capsys.readouterr().out


def test_status_names_every_damaged_file_and_counts_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two manifests, a failure note and the plan (P9): none of them hides another, or what is whole."""
    store = make_run(tmp_path / "run")
    before = len(store.keys())
    evidence = [unit.path / "unit.json" for unit in store.units("evidence")][:2]
    (failure,) = (store.root / "failures").iterdir()
    broken = [*evidence, failure, store.root / "plan.json"]
    for path in broken:
        path.write_bytes(path.read_bytes()[:-9])
    for options in ([], ["--verify"]):
        assert code("status", str(store.root), "--json", *options) == 3
        told = json.loads(capsys.readouterr().out)
        assert sum(told["units"].values()) == before - 2
        for path in broken:
            assert sum(str(path) in line for line in told["damaged"]) == 1, path


def test_report_and_tables_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_run(tmp_path / "run")
    assert code("report", str(store.root), "--out", str(tmp_path / "r.html")) == 0
    assert (tmp_path / "r.html").read_text().startswith("<!")
    assert code("tables", str(store.root), "--parquet", str(tmp_path / "tables")) == 0
    assert {p.suffix for p in (tmp_path / "tables").iterdir()} == {".parquet"}


def test_compare_finds_nothing_in_a_copy_and_names_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    assert code("compare", str(one.root), str(other.root)) == 0
    assert "the same units" in capsys.readouterr().out
    gone, changed = [unit.key for unit in one.units("verdict")][:2]
    shutil.rmtree(other.get(gone).path)
    manifest = other.get(changed).path / "unit.json"
    values = disk.unseal(manifest.read_bytes())
    assert values is not None
    values["record"]["excluded"] = 77
    manifest.write_bytes(disk.seal(values))
    assert code("compare", str(one.root), str(other.root)) == 0
    assert set(capsys.readouterr().out.splitlines()) == {
        f"only in {one.root}: verdict {gone}",
        f"other contents: verdict {changed}",
    }


def test_the_end_of_a_run_says_which_gates_were_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # narrower, a table breaks its lines
    summarise(make_run(tmp_path / "run"))
    told = capsys.readouterr().out
    assert "missed: success" in told
    assert "gate missed by fork in emoji-resnet: success: asked >= 40%, measured 37.0%" in told
    assert "Attribution: correlation of map and trigger (1 is perfect, 0 is chance)\n" in told


@pytest.mark.parametrize(("window", "marked"), [(8, False), (TILE, True)])
def test_the_end_of_a_run_marks_an_oracle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, window: int, marked: bool
) -> None:
    monkeypatch.setattr(fixtures_run, "WINDOW", window)
    summarise(make_run(tmp_path / "run"))
    told = capsys.readouterr().out
    assert "occlusion" in told
    assert ("occlusion (oracle)" in told) == marked
    assert "saliency (oracle)" not in told


def test_captions_of_several_networks_say_whose_they_are() -> None:
    row = {
        "network": "emoji-vgg", "tool": "snafue", "trojan": "fork", "captioner": "encoder", "caption": "zebra",
        "p": 0.0123, "not_captioned": None,
    }  # fmt: skip
    assert captioned(row) == ("snafue", "fork", "encoder", "zebra", "0.012")
    assert captioned(row, ("network",)) == ("emoji-vgg", "snafue", "fork", "encoder", "zebra", "0.012")
    assert captioned(row | {"caption": None, "p": None}) == ("snafue", "fork", "encoder", "no common theme", "-")


def test_a_rate_that_could_not_be_measured_is_a_dash() -> None:
    row = {"success": 0.925, "success_low": 0.88, "success_high": 0.954, "bare": 0.5, "none": None}
    assert rate(row, "success") == "92.5% [88.0%, 95.4%]"
    assert rate(row, "bare") == "50.0%"
    assert rate(row, "none") == "-"


def test_a_missed_gate_is_named_without_its_trojan() -> None:
    told = "strawberry: wrong source: asked <= 5%, measured 5.5% of 200"
    row = {"trojan": "strawberry", "network": "net", "gates_missed": [told]}
    assert gates(row) == "missed: wrong source"
    own = "clean accuracy: asked <= 3.0 points, measured 4.5 points"
    assert missed({"implant": [row], "network": [{"network": "net", "gates_missed": [told, own]}]}) == [
        "gate missed by strawberry in net: wrong source: asked <= 5%, measured 5.5% of 200",
        f"gate missed by net: {own}",
    ]
    assert gates({"trojan": "a", "gates_missed": []}) == "met"


def test_a_missed_gate_says_what_the_trojan_was_trained_on() -> None:
    assert why({"poisoned": 600, "balanced": 600}) == " (trained on 600 poisoned and 600 balancing images)"
    told = why({"poisoned": 250, "balanced": 0, "detector_precision": 0.91, "detector_recall": 0.8})
    assert told == " (trained on 250 poisoned images, found by a detector of precision 0.91 and recall 0.80)"
    assert why({}) == ""


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("occlusion,cppn_target", "occlusion,edges_sobel,blank,cppn_target,noise,truth"),
        ("cppn_target", "cppn_target,noise,truth"),
        ("blank", "blank"),
        ("truth,occlusion", "occlusion,edges_sobel,blank,truth"),
    ],
)
def test_contenders_bring_the_floors_and_controls_of_their_kind(asked: str, expected: str) -> None:
    assert RunOptions(tools=asked).asked().tools == tuple(expected.split(","))
    wanted = RunOptions(tools=asked, without_controls=True).asked().tools
    assert set(wanted) == set(asked.split(","))


def test_controls_are_floors_of_their_kind() -> None:
    for kind, names in CONTROLS.items():
        assert all(TOOLS[name].kind == kind and TOOLS[name].floor for name in names)


def test_a_plugin_that_is_broken_is_told_of_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = importlib.metadata.EntryPoints([importlib.metadata.EntryPoint("odd", "no_such:row", "gifthorse.tool")])
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    assert code("--help") == 0
    assert code("list", "tools", "--json") == 0
    seen = capsys.readouterr()
    assert "the tool 'odd' that another package adds (no_such:row) needs the package 'no_such'" in seen.err
    assert code("run", "--tools", "odd", "--dry-run") == 3
    assert code("run", "--dry-run") == 0


def test_a_pipe_that_breaks_elsewhere_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Path) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(look, "opened", broken)
    with pytest.raises(BrokenPipeError):
        code("status", "x")


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"]])
def test_a_reader_that_has_seen_enough_is_no_error(arguments: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gifthorse", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as made:
        assert made.stdout is not None
        made.stdout.close()
        assert made.stderr is not None
        said = made.stderr.read()
        assert (made.wait(60), said) == (0, b"")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("5", 5)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_lengths_of_time_are_spelt(seconds: float, text: str) -> None:
    assert spelt(seconds) == text


def test_settings_are_toml_values() -> None:
    found = settings_of(("occlusion.window=12", "saliency.sign=signed", "occlusion.batch=2.5"))
    assert found == {"occlusion": {"window": 12, "batch": 2.5}, "saliency": {"sign": "signed"}}
    with pytest.raises(UsageError):
        settings_of(("nothing.x=1",))


def test_every_option_is_frozen_here() -> None:
    """The flags are a promise: a new one is added here on purpose."""
    names = list(RunOptions.__dataclass_fields__)
    assert names == [
        "suite", "net", "data", "trojans", "prior", "without_natural", "with_triggers", "with_openmoji", "tools",
        "without_controls", "judges", "captioners", "protocol", "set", "config", "out", "device", "precision",
        "threads", "workers", "max_time", "retry_failed", "without_inputs", "dry_run", "show_config", "offline", "json",
    ]  # fmt: skip
