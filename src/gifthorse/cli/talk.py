"""What a person reads on stderr: a moving line on a terminal, plain lines otherwise; and tables on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

QUIET = 10.0
"""Seconds between plain lines within a stage."""


class Talk:
    """Speaks to a person on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(escape(text), soft_wrap=True)

    def error(self, name: str, text: str) -> None:
        """An error: its id, its cause and what to try."""
        self.console.print(f"[bold red]error {name}:[/] {escape(text)}", soft_wrap=True)


class Watch:
    """Progress of a run: one bar a stage on a terminal, a line now and then otherwise."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._spoke = 0.0

    def __enter__(self) -> Watch:
        if self._talk.console.is_terminal:
            columns = (TextColumn("{task.fields[stage]:9}"), BarColumn(24), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self._talk.console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, stage: str, progress: Any) -> None:
        """Take in one step of a stage (a ``stages.work.Progress``)."""
        ready = progress.done + progress.cached + progress.failed
        text = f"{ready} of {progress.total}  {progress.label}{_share(progress)}"
        if progress.failed:
            text += f"  ({progress.failed} failed)"
        if progress.seconds_left is not None:
            text += f"  {spelt(progress.seconds_left)} left"
        if self._bar:
            if stage != self._stage or self._task is None:
                self._task = self._bar.add_task("", stage=stage, total=progress.total)
            self._bar.update(self._task, completed=ready, total=progress.total, description=escape(text))
        elif progress.event == "failed" or stage != self._stage or time.monotonic() - self._spoke > QUIET:
            self._talk.say(f"{stage}: {text}")
            self._spoke = time.monotonic()
        self._stage = stage


def _share(progress: Any) -> str:
    share = getattr(progress, "share", None)
    return f" {share:.0%}" if share and progress.event not in ("done", "failed") else ""


def spelt(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, err: bool = False) -> None:
    """A table for people."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right", no_wrap=at == 0)
    for row in rows:
        table.add_row(*(escape(value) for value in row))
    console = Console(stderr=err, highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(table)
