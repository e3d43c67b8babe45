"""Where options come from: flags before the environment before a file, and back into a file (P47, P49)."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gifthorse.cli.app import code_of
from gifthorse.cli.configuration import check_names
from gifthorse.cli.options import DEFAULT_TOOLS
from gifthorse.cli.talk import Talk
from gifthorse.errors import UsageError

FILE = """
protocol = "published"
tools = "occlusion"
workers = 3
judges = "footprint"

[settings.occlusion]
window = 7
stride = 2
"""


def test_the_default_tools_are_right_since_a_run_does_not_check_them() -> None:
    check_names(DEFAULT_TOOLS)
    with pytest.raises(UsageError, match="windows"):
        check_names(["occlusion@windows=6"])


class Shown:
    """Runs a command, and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        found = code_of(list(arguments), Talk())
        seen = self._capsys.readouterr()
        assert found == code, seen.err
        return seen.err if code else seen.out

    def config(self, *arguments: str) -> dict[str, Any]:
        return tomllib.loads(self("run", *arguments, "--show-config"))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    return Shown(capsys)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "run.toml"
    path.write_text(FILE)
    return str(path)


def test_flags_go_before_environment_and_environment_before_the_file(
    file: str, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIFTHORSE_TOOLS", "saliency")
    monkeypatch.setenv("GIFTHORSE_PROTOCOL", "quick")
    found = shown.config("--config", file, "--protocol", "thesis")
    assert found["protocol"] == "thesis", "a flag beats the environment and the file"
    assert found["tools"] == "saliency", "the environment beats the file"
    assert (found["workers"], found["judges"]) == (3, "footprint"), "the file beats the defaults"
    assert found["suite"] == "emoji12"
    assert found["settings"] == {"occlusion": {"window": 7, "stride": 2}}


def test_the_environment_can_name_the_file(file: str, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIFTHORSE_CONFIG", file)
    assert shown.config()["workers"] == 3
    assert shown("list", "tools")


def test_a_setting_of_a_flag_replaces_only_itself(file: str, shown: Shown) -> None:
    found = shown.config("--config", file, "--set", "occlusion.stride=3", "--set", "match.pooling=max")
    assert found["settings"] == {"occlusion": {"window": 7, "stride": 3}, "match": {"pooling": "max"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('suit = "emoji12"', ["unknown key 'suit'", "did you mean 'suite'"]),
        ('config = "other.toml"', ["unknown key 'config'"]),
        ("[settings.oclusion]\nwindow = 3", ["[settings.oclusion]", "did you mean 'occlusion'"]),
        ("[settings.occlusion]\nwindoww = 3", ["[settings.occlusion]", "'windoww'", "did you mean 'window'"]),
        ("[settings.occlusion]\nwindow = true", ["[settings.occlusion]", "window = True"]),
        ("[settings.match]\npooling = 'most'", ["[settings.match]", "'most'"]),
        ("settings = 3", ["[settings] holds one table a tool"]),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_the_file(
    text: str, told: list[str], tmp_path: Path, shown: Shown
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text + "\n")
    for verb in ("run", "diagnose"):
        said = shown(verb, "--config", str(path), "--dry-run", code=2)
        for part in [str(path), "try:", *told]:
            assert part in said


def test_a_wrong_flag_is_not_blamed_on_the_file(file: str, shown: Shown) -> None:
    said = shown("run", "--config", file, "--set", "occlusion.windoww=3", "--dry-run", code=2)
    assert file not in said
    assert "did you mean 'window'" in said


REQUESTS = [
    ["--suite", "emoji12_dev", "--set", "occlusion.window=9", "--workers", "2", "--without-inputs"],
    ["--set", "match.pooling=max", "--tools", "occlusion", "--without-controls"],
    ["--set", 'saliency.sign="signed"', "--set", "occlusion.baseline=mean", "--out", 'a "b" \\c\x7fd\u00e9'],
    ["--set", "encoder.level=0.01", "--captioners", "encoder,encoder@pooling=mean"],
    ["--captioners", "none"],
    ["--captioners", "blip_llm@url=http://localhost:8000/v1", "--set", "blip_llm.blip=b", "--set", "blip_llm.model=m"],
    ["--set", "occlusion.window=1e-1", "--max-time", "20m", "--threads", "1"],
]


@pytest.mark.parametrize("wanted", REQUESTS, ids=lambda wanted: wanted[1])
def test_the_shown_configuration_is_the_same_request(wanted: list[str], tmp_path: Path, shown: Shown) -> None:
    text = shown("run", *wanted, "--show-config")
    path = tmp_path / "again.toml"
    path.write_text(text)
    assert shown("run", "--config", str(path), "--show-config") == text
    one = json.loads(shown("run", *wanted, "--dry-run", "--json"))
    other = json.loads(shown("run", "--config", str(path), "--dry-run", "--json"))
    assert one == other
    assert one["request"] != json.loads(shown("run", "--dry-run", "--json"))["request"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--captioners", "encodr"], ["no captioner called 'encodr'", "did you mean 'encoder'"]),
        (["--captioners", "encoder@levl=0.1"], ["--captioners encoder@levl=0.1", "did you mean 'level'"]),
        (["--captioners", "encoder@level=2"], ["level is 2"]),
        (["--captioners", "blip_llm"], ["given no blip and url", "blip_llm@blip=FOLDER@url="]),
        (["--captioners", "blip_llm@blip=b@url=localhost:8000@model=m"], ["http://localhost:8000/v1"]),
        (["--set", "encoder.sets=1"], ["--captioners encoder", "1 sets"]),
        (["--captioners", "none", "--set", "encoder.levl=0.1"], ["did you mean 'level'"]),
        (["--set", "encodr.level=0.1"], ["no tool, judge or captioner", "did you mean 'encoder'"]),
        (["--captioners", ""], ["no name was given"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else None,
)
def test_a_wrong_captioner_is_named(arguments: list[str], told: list[str], shown: Shown) -> None:
    said = shown("run", *arguments, "--dry-run", code=2)
    for part in ["try:", *told]:
        assert part in said
