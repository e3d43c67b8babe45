"""Recipes: functions that return a Suite. The only room with a paper's constants. No torch."""

from __future__ import annotations

import importlib

from gifthorse.errors import UsageError, nearest
from gifthorse.records import Suite

_WHERE = {
    "emoji12": "gifthorse.suites.emoji:emoji12",
    "emoji12_dev": "gifthorse.suites.emoji:emoji12_dev",
}

SUITES: dict[str, str] = {
    "emoji12": "the thesis's twelve trojans (Table 3.1) in the emoji world",
    "emoji12_dev": "twelve other trojans in the same world, the only ones that anything is tuned on",
}
"""Name to one line about it."""


def suite(name: str) -> Suite:
    """A suite by name.

    Raises:
        UsageError: no such suite, with the nearest name.
    """
    if name not in _WHERE:
        raise UsageError(f"there is no suite called {name!r}", nearest(name, _WHERE))
    module, _, function = _WHERE[name].partition(":")
    made: Suite = getattr(importlib.import_module(module), function)()
    return made
