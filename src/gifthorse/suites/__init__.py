"""Recipes: functions that return a Suite. The only room with a paper's constants. No torch."""

from __future__ import annotations

from pathlib import Path

from gifthorse.errors import UsageError, nearest
from gifthorse.records import Suite
from gifthorse.registry import load

_WHERE = {
    "emoji12": "gifthorse.suites.emoji:emoji12",
    "emoji12_dev": "gifthorse.suites.drawn:emoji12_dev",
    "emoji48": "gifthorse.suites.drawn:emoji48",
}
_RANDOM = "emoji-random"

PRIORS = ("open", "closed")
"""What generators and pools of natural patches may know of a suite's Questions; see :mod:`gifthorse.suites.priors`."""

SUITES: dict[str, str] = {
    "emoji12": "the thesis's twelve trojans (Table 3.1) in the emoji world, and its four patches in a second network",
    "emoji12_dev": "twelve other trojans in the same world, the only ones that anything is tuned on",
    "emoji48": "four times twelve others in four networks: enough to tell tools apart",
    f"{_RANDOM}:SEED": "twelve trojans drawn by a seed; 0 is emoji12_dev",
}
"""Name to one line about it."""


def suite(name: str) -> Suite:
    """A suite by name, or by the path of a TOML file that describes one.

    Raises:
        InputError: the file cannot be read.
        UsageError: no such suite, with the nearest name, no seed where one is due, or a wrong key in the file.
    """
    if name.endswith(".toml"):
        return _made("gifthorse.suites.own:own", Path(name))
    kind, colon, seed = name.partition(":")
    if kind == _RANDOM:
        if not colon or not seed.isdigit():
            raise UsageError(f"{name!r} says no seed", f"a whole number, as in {_RANDOM}:7")
        return _made("gifthorse.suites.drawn:random", int(seed))
    if name not in _WHERE:
        raise UsageError(f"there is no suite called {name!r}", nearest(name, (*_WHERE, f"{_RANDOM}:1")))
    return _made(_WHERE[name])


def _made(where: str, *arguments: object) -> Suite:
    suite: Suite = load(where)(*arguments)
    return suite
