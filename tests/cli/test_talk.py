"""What people are told while they wait."""

from __future__ import annotations

import pytest

from gifthorse.cli.talk import Talk, Watch
from gifthorse.stages.work import Progress


def step(event: str, label: str, done: int = 0, share: float = 0.0, failed: int = 0) -> Progress:
    return Progress(
        event=event,
        kind="trained",
        label=label,
        done=done,
        total=5,
        cached=0,
        failed=failed,
        seconds_left=None,
        elapsed=1.0,
        share=share,
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setattr("gifthorse.cli.talk.QUIET", -1.0)
    lines: list[str] = []
    monkeypatch.setattr(Talk, "say", lambda self, text: lines.append(text))
    return lines


def test_a_line_names_what_is_worked_on(said: list[str]) -> None:
    with Watch(Talk()) as watch:
        watch("implant", step("starts", "one"))
        watch("implant", step("starts", "two"))
        watch("implant", step("works", "one", share=0.25))
        watch("implant", step("starts", "three"))
        watch("implant", step("done", "one", done=1))
        watch("implant", step("failed", "two", done=1, failed=1))
        watch("implant", step("done", "three", done=2, failed=1))
    assert said == [
        "implant: 0 of 5  one",
        "implant: 0 of 5  one, two",
        "implant: 0 of 5  one 25%, two",
        "implant: 0 of 5  one 25%, two and 1 more",
        "implant: 1 of 5  two, three",
        "implant: 2 of 5  two  (1 failed)",
        "implant: 3 of 5  three  (1 failed)",
    ]
