"""Requests carried out in this process, with what was computed counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gifthorse.jobs.asked import Asked
from gifthorse.jobs.run import How, run
from gifthorse.runner import InProcess
from gifthorse.stages.work import Progress
from gifthorse.store import Store


class Seen:
    """Counts what was computed."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, stage: str, progress: Progress) -> None:
        if progress.event == "done":
            self.made.append(progress.kind)


def carry_out(root: Path, asked: Asked, **how: Any) -> Seen:
    """Carries a request out, and says what was computed."""
    seen = Seen()
    options: dict[str, Any] = {"runner": InProcess(), "watch": seen} | how
    run(Store(root), asked, How(**options))
    return seen
