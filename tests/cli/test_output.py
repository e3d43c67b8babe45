"""stdout is one JSON document under ``--json``, and nothing but text goes where no terminal is (P46)."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_output import finish
from fixtures_run import make_run
from PIL import Image

from gifthorse.cli.app import app

ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is finished, as far as its plan says, so that the verbs that work have nothing to do."""
    store = make_run(tmp_path_factory.mktemp("output") / "run")
    finish(store)
    return store.root


COMMANDS = [
    "run --out RUN",
    "run --out RUN --dry-run",
    "run --show-config",
    "implant --out RUN --dry-run",
    "diagnose --show-config",
    "evaluate --out RUN --dry-run",
    "report RUN --out DIR/report.html",
    "tables RUN",
    "tables RUN --parquet DIR/tables",
    "list",
    "status RUN",
    "status RUN --verify",
    "compare RUN RUN",
    "attribute DIR/scene.png --net emoji-resnet --method blank --out DIR/maps.html",
    "synthesise --net emoji-resnet --target bee --method fourier_target --budget 60 --out DIR/pictures.html",
    "copy-paste --net emoji-resnet --source bee --target fly --name gift --out DIR/pasted.html",
    "experiment sources --n 1 --sources bee,owl --prior closed --workers 1 --out DIR/experiment",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_alone_on_stdout_and_without_colours(command: str, root: Path, tmp_path: Path) -> None:
    Image.new("RGB", (80, 70), (200, 120, 40)).save(tmp_path / "scene.png")
    arguments = command.replace("RUN", str(root)).replace("DIR", str(tmp_path)).split()
    done = subprocess.run(
        [sys.executable, "-m", "gifthorse", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert "\x1b" not in done.stdout + done.stderr


def test_every_verb_is_among_the_commands() -> None:
    verbs = {name for name in app() if not name.startswith("-")}
    assert verbs == {command.split()[0] for command in COMMANDS}


def on_a_terminal(arguments: list[str], extra: dict[str, str], code: int) -> str:
    """What a command writes where stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    made = subprocess.Popen(
        [sys.executable, "-m", "gifthorse", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=ENVIRONMENT | {"TERM": "xterm-256color", "COLUMNS": "100"} | extra,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # what a terminal says when the other side has gone
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert made.wait(60) == code
    return said.decode()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["list", "tols"], 2), (["--help"], 0), (["tables", "RUN"], 0), (["run", "--sute"], 2)]
)
def test_no_color_is_honoured_on_a_terminal(arguments: list[str], code: int, root: Path) -> None:
    arguments = [argument.replace("RUN", str(root)) for argument in arguments]
    lively, plain = (on_a_terminal(arguments, extra, code) for extra in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[" in lively
    assert "\x1b" not in plain
    assert plain.strip()


def test_a_title_is_on_one_line_on_a_narrow_terminal(root: Path) -> None:
    said = on_a_terminal(["run", "--out", str(root)], {"NO_COLOR": "1", "COLUMNS": "60"}, 0)
    assert "Attribution: correlation of map and trigger (1 is perfect, 0 is chance)" in said
    assert "is finished: nothing to do" in said
