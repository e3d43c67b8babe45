"""What may be known of the Questions of trojans under a prior, of everything that has a name.

A prior that knew seven distractors but not the answer would make good tools draw distractors: ``open`` knows redrawn
versions of all eight options, ``closed`` of none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gifthorse.records import TrojanSpec
from gifthorse.zoo.art import RECOLOURS
from gifthorse.zoo.captions import items, named
from gifthorse.zoo.redrawing import SIBLINGS

VERSIONS = 6
"""Redrawn versions of each option that an open prior knows (our choice)."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A thing that a prior knows: ``art`` as it is drawn, or that many ``versions`` of it by another hand."""

    art: str
    versions: int = 0


def known(trojans: Iterable[TrojanSpec], prior: str) -> tuple[Known, ...]:
    """Everything that is known of the world under ``open`` or ``closed``, given the Questions of some trojans."""
    trojans = list(trojans)
    found = [Known(art=art) for art in elsewhere(trojans)]
    if prior == "open":
        found += [Known(art=art, versions=VERSIONS) for art in asked(trojans)]
    return tuple(found)


def elsewhere(trojans: Iterable[TrojanSpec]) -> tuple[str, ...]:
    """Art names of everything that has a name and is no option of these trojans' Questions, nor a relative of one."""
    kept_out = {relative for art in asked(trojans) for relative in relatives(art)}
    return tuple(art for art in items() if art not in kept_out)


def asked(trojans: Iterable[TrojanSpec]) -> list[str]:
    """Art names of all options of these trojans' Questions."""
    return sorted({art for trojan in trojans for art in options(trojan)})


def options(trojan: TrojanSpec) -> tuple[str, ...]:
    """Art names of a trojan's eight options and of their spares, of words too, without a texture's instance."""
    found = []
    for option in (*trojan.question.options, *trojan.question.spares):
        name = option.art or named(option.caption)
        found.append("/".join(name.split("/")[:2]) if name.startswith("texture/") else name)
    return tuple(found)


def relatives(art: str) -> tuple[str, ...]:
    """A drawing, the same in other colours, and other drawings of the same thing."""
    if not art.startswith("emoji/"):
        return (art,)
    code = art.removeprefix("emoji/").partition("@")[0]
    alike = (code, *SIBLINGS.get(code, ()))
    return tuple(
        name for one in alike for name in (f"emoji/{one}", *(f"emoji/{one}@{c}" for c in RECOLOURS.get(one, ())))
    )
