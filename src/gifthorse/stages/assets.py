"""Prepared inputs of tools: what a key keeps of each, and the thing itself when a cell is made."""

from __future__ import annotations

import functools
from typing import Any

from gifthorse import images as im
from gifthorse.errors import Refusal
from gifthorse.records import Case, Cell, Suite
from gifthorse.store import Unit
from gifthorse.zoo import GENERATORS

GENERATED = ("generator", "scenes", "disguise")
"""What comes with a suite's generator: it, the one of scenes that knows the same, and what says how pictures look."""


def assets_seen(suite: Suite, prepares: tuple[str, ...], case: Case) -> dict[str, Any]:
    """What a key keeps of the inputs that a tool has prepared: digests, and which generator it is.

    Args:
        prepares: of the tool, see :class:`gifthorse.tools.base.Tool`.
    """
    seen: dict[str, Any] = {}
    if "truth" in prepares:
        seen["truth"] = case.truth.sha256 if case.truth else None
    if set(prepares) & set(GENERATED):
        seen["generator"] = None
        if suite.generator is not None:
            digest = _generator(suite.generator, suite.prior).digest
            seen["generator"] = {"name": suite.generator, "prior": suite.prior, "digest": digest}
            if "scenes" in prepares:
                seen["scenes"] = _generator(suite.generator, suite.prior).scenes().digest
    return seen


def assets_given(cell: Cell, prepares: tuple[str, ...], unit: Unit, case: Case) -> dict[str, Any]:
    """The inputs themselves.

    Raises:
        Refusal: the suite has no generator.
    """
    given: dict[str, Any] = {}
    if "truth" in prepares:
        given["truth"] = im.from_uint8(unit.images(case.truth))
    if set(prepares) & set(GENERATED):
        told = cell.inputs["assets"]["generator"]
        if told is None:
            raise Refusal(
                "this suite has no generator: those that there are know some options of its Questions and not others",
                "options that suites of the emoji world have too, or a tool that needs none",
            )
        row, ground = _generator(told["name"], told["prior"]), cell.inputs["ground"]
        how = {"device": ground["device"], "precision": ground["precision"]}
        made = {"generator": row.load, "scenes": lambda **how: row.scenes().load(**how), "disguise": row.disguise}
        given |= {name: made[name](**how) for name in prepares if name in made}
    return {name: given[name] for name in prepares}


@functools.lru_cache(maxsize=4)
def _generator(name: str, prior: str) -> Any:
    return GENERATORS.make(name, {"prior": prior})
