"""Every exception of gifthorse, on one page.

    GifthorseError                 exit code 1 unless a child says otherwise
    |-- UsageError                 2   a wrong name, option or key; carries the nearest valid one
    |-- InputError                 3   a file, image, checkpoint or folder that is not what it should be
    |   |-- HostileFile            3   refused by gates.py before it was opened in earnest
    |   |-- CorruptUnit            3   a stored file whose hash is not the one its manifest names
    |   `-- MissingExtra           3   an optional package is not installed
    |-- Refusal                    -   this method cannot do this network: a result, stored and shown
    |-- FailedCells                4   a run finished, and some of its cells failed
    |-- LimitReached               5   time, memory or disk ended; the same command resumes
    `-- Nondeterminism             4   one key, two contents: both are kept

Each carries ``cause`` (what was given and what was expected) and ``remedy`` (what to do), and an ``id``
that never changes; ``str()`` is the line that a person reads.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_CODES = {
    0: "did what it was asked to",
    1: "met a bug of gifthorse; the traceback is in the file that it names",
    2: "was called with a wrong name, option or key",
    3: "was given a file or folder that is not what it should be",
    4: "finished, and some of its cells failed",
    5: "reached a limit of time, memory or disk; the same command goes on",
    130: "was interrupted (Ctrl-C); the same command goes on",
    143: "was terminated (SIGTERM); the same command goes on",
}
"""What a command's exit code means."""


class GifthorseError(Exception):
    """The root: an error that has a cause and a remedy, and speaks of the caller's call."""

    id = "GH000"
    exit_code = 1

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(cause, remedy)

    def __str__(self) -> str:
        return f"{self.cause}\n  try: {self.remedy}"


class UsageError(GifthorseError):
    """A wrong name, option or key."""

    id = "GH100"
    exit_code = 2


class InputError(GifthorseError):
    """A file, image, checkpoint or folder that is not what it should be."""

    id = "GH200"
    exit_code = 3


class HostileFile(InputError):
    """A file from outside that the gates do not let in."""

    id = "GH210"


class CorruptUnit(InputError):
    """A stored file whose bytes are not those that its manifest names."""

    id = "GH220"


class MissingExtra(InputError):
    """An optional package is needed and not installed."""

    id = "GH230"


class Refusal(GifthorseError):
    """This tool cannot do this network or this case: a result, not a failure."""

    id = "GH300"


class FailedCells(GifthorseError):
    """A run finished and some of its cells failed."""

    id = "GH400"
    exit_code = 4


class Nondeterminism(GifthorseError):
    """The same key was made twice with different contents."""

    id = "GH410"
    exit_code = 4


class LimitReached(GifthorseError):
    """Time, memory or disk ended before the work did; the same command resumes it."""

    id = "GH500"
    exit_code = 5


READABLE = 150
"""Names in a list that somebody can still read through; of more, only the :data:`SHOWN` nearest are named."""

SHOWN = 12


def nearest(given: str, valid: Iterable[str]) -> str:
    """The sentence that ends an unknown-name error: the nearest valid name, and the whole list where it can be read.

    Args:
        given: what the caller wrote.
        valid: every name that would have been accepted.
    """
    names = sorted(valid)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    if len(names) > READABLE:
        close = difflib.get_close_matches(given, names, n=SHOWN, cutoff=0.0)
        return f"{guess}valid: {', '.join(close)}, and {len(names) - len(close)} more"
    return f"{guess}valid: {', '.join(names) or '(none)'}"
