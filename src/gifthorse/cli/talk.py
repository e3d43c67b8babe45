"""What a person reads on stderr: a moving line on a terminal, plain lines otherwise; and data on stdout.

Rich is imported by what draws with it, so that the quick commands do without. Where ``NO_COLOR`` is set or a stream is
no terminal, nothing but text is written to it.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

QUIET = 10.0
"""Seconds between plain lines within a stage."""

SHOWN = 2
"""Cells at work that a line of progress names."""

WIDE = 140
"""Characters of a line of a table that no terminal shows."""


def put(text: str, *, err: bool = False) -> None:
    """Print lines on stdout, or on stderr; where the reader has gone (``| head``), all later ones are lost."""
    stream = sys.stderr if err else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # what is still buffered must have somewhere to go, or Python complains at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def lively(stream: TextIO) -> bool:
    """Whether colours and moving lines are welcome on a stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def drawing(page: io.StringIO) -> Console:
    """A console that draws onto a page what stdout is to show."""
    from rich.console import Console

    colours = lively(sys.stdout)
    return Console(
        file=page,
        force_terminal=colours,
        no_color=not colours,
        color_system="auto" if colours else None,
        highlight=False,
        width=shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE,
    )


class Talk:
    """Speaks to a person on stderr."""

    def say(self, text: str) -> None:
        """One line."""
        put(text, err=True)

    def error(self, name: str, text: str) -> None:
        """An error: its id, its cause and what to try."""
        head = f"error {name}:"
        put(f"\x1b[1;31m{head}\x1b[0m {text}" if lively(sys.stderr) else f"{head} {text}", err=True)


class Watch:
    """Progress of a run: one bar a stage on a terminal, a line now and then otherwise."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._spoke = 0.0
        self._working: dict[str, float] = {}

    def __enter__(self) -> Watch:
        if lively(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.fields[stage]:9}"), BarColumn(24), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, stage: str, progress: Any) -> None:
        """Take in one step of a stage (a ``stages.work.Progress``)."""
        ready = progress.done + progress.cached + progress.failed
        text = f"{ready} of {progress.total}  {self._at_work(progress)}"
        if progress.failed:
            text += f"  ({progress.failed} failed)"
        if progress.seconds_left is not None:
            text += f"  {spelt(progress.seconds_left)} left"
        if self._bar:
            if stage != self._stage or self._task is None:
                self._task = self._bar.add_task("", stage=stage, total=progress.total)
            self._bar.update(self._task, completed=ready, total=progress.total, description=_escaped(text))
        elif progress.event == "failed" or stage != self._stage or time.monotonic() - self._spoke > QUIET:
            self._talk.say(f"{stage}: {text}")
            self._spoke = time.monotonic()
        self._stage = stage

    def _at_work(self, progress: Any) -> str:
        """The cells that are worked on, with the share of each that is done; or the one that was just over."""
        if progress.event in ("starts", "works"):
            self._working[progress.label] = getattr(progress, "share", 0.0)
        else:
            self._working.pop(progress.label, None)
        if progress.event == "failed" or not self._working:
            return str(progress.label)
        told = [f"{label} {share:.0%}" if share else label for label, share in self._working.items()]
        more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        return ", ".join(told[:SHOWN]) + more


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def spelt(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people, under its title, which no narrow table breaks."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right", no_wrap=at == 0)
    for row in rows:
        table.add_row(*(_escaped(value) for value in row))
    page = io.StringIO()
    drawing(page).print(table)
    put(f"{title}\n{page.getvalue()}")
