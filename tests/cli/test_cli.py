"""The command line as a program: exit codes, streams, did-you-mean, JSON, configuration files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_run import make_run

from gifthorse.cli import app as door
from gifthorse.cli.options import RunOptions, seconds_of, settings_of
from gifthorse.cli.talk import Talk, spelt
from gifthorse.errors import UsageError


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
        (["run", "--data", "photos"], 2, "--net"),
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


def test_a_bug_is_kept_and_exits_with_1(tmp_path: Path) -> None:
    broken = (
        "import sys; from gifthorse.cli import app, look\n"
        "def broken(*a, **k): raise ZeroDivisionError('oh')\n"
        "look.opened = broken\n"
        "sys.argv = ['gifthorse', 'status', 'x']; app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "this is a bug" in done.stderr
    kept = Path(done.stderr.split("report it with ")[1].strip())
    assert "ZeroDivisionError" in kept.read_text()
    kept.unlink()


def test_a_key_that_the_file_misspells_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text('suit = "emoji12"\n')
    assert code("run", "--config", str(path)) == 2
    told = capsys.readouterr().err
    assert "run.toml" in told
    assert "'suit'" in told
    assert "did you mean 'suite'" in told


def test_flags_go_before_environment_and_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.toml"
    path.write_text('protocol = "published"\ntools = "occlusion"\nworkers = 3\n\n[settings.occlusion]\nwindow = 7\n')
    monkeypatch.setenv("GIFTHORSE_TOOLS", "saliency")
    assert code("run", "--config", str(path), "--protocol", "thesis", "--show-config") == 0
    shown = capsys.readouterr().out
    assert 'protocol = "thesis"' in shown
    assert "workers = 3" in shown
    assert "[settings.occlusion]\nwindow = 7" in shown


def test_the_shown_configuration_is_the_same_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ("run", "--suite", "emoji12_dev", "--set", "occlusion.window=9", "--workers", "2", "--without-inputs")
    assert code(*wanted, "--show-config") == 0
    shown = capsys.readouterr().out
    path = tmp_path / "again.toml"
    path.write_text(shown)
    assert code("run", "--config", str(path), "--show-config") == 0
    assert capsys.readouterr().out == shown


def test_json_is_alone_on_stdout_and_without_colours(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    for arguments in (
        ["tables", str(tmp_path / "run"), "--json"],
        ["list", "--json"],
        ["status", str(tmp_path / "run"), "--json"],
    ):
        done = gifthorse(*arguments)
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
        assert "\x1b" not in done.stdout + done.stderr


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
    assert str(path) in capsys.readouterr().out.replace("\n", "")


def test_report_and_tables_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_run(tmp_path / "run")
    assert code("report", str(store.root), "--out", str(tmp_path / "r.html")) == 0
    assert (tmp_path / "r.html").read_text().startswith("<!")
    assert code("tables", str(store.root), "--parquet", str(tmp_path / "tables")) == 0
    assert {p.suffix for p in (tmp_path / "tables").iterdir()} == {".parquet"}


def test_compare_finds_nothing_in_a_copy_and_names_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    assert code("compare", str(tmp_path / "a"), str(tmp_path / "b")) == 0
    assert "the same units" in capsys.readouterr().out


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
        "suite", "net", "data", "trojans", "tools", "judges", "protocol", "set", "out", "device", "precision",
        "threads", "workers", "max_time", "retry_failed", "without_inputs", "dry_run", "show_config", "offline", "json",
    ]  # fmt: skip
