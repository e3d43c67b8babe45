"""What a generator and a pool of natural patches may know of a suite's Questions: the same of all eight options.

A prior that knew seven distractors but not the answer would make good tools draw distractors. ``open`` knows redrawn
versions of all eight, ``closed`` of none; the artwork of a patch or style trigger itself is in neither. Everything
else that has a name is in both, as it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gifthorse.errors import UsageError, nearest
from gifthorse.records import Suite, TrojanSpec, digest
from gifthorse.suites import PRIORS, pools
from gifthorse.zoo.captions import category, items
from gifthorse.zoo.knowledge import WEIGHTS, drawings
from gifthorse.zoo.known import Known, asked, known, options, relatives
from gifthorse.zoo.world import EMOJI


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is known: of a suite, under a name."""

    name: str
    suite: str
    known: tuple[Known, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of its contents: part of the key of what is made from it."""
        return digest(self)


def prior(suite: Suite, name: str = "open") -> Prior:
    """A suite's prior.

    Args:
        suite: whose Questions decide.
        name: ``open`` or ``closed``.

    Raises:
        UsageError: no such prior.
    """
    if name not in PRIORS:
        raise UsageError(f"there is no prior {name!r}", nearest(name, PRIORS))
    trojans = [trojan for planting in suite.plantings for trojan in planting.trojans]
    return Prior(name=name, suite=suite.name, known=known(trojans, name))


def fair(trojans: Iterable[TrojanSpec]) -> bool:
    """Whether the shipped generators know all eight options of each of these Questions, or none of them.

    A generator that knew seven distractors but not the answer would make good tools draw distractors.
    """
    each_asked = [options(trojan) for trojan in trojans]
    for prior_ in PRIORS:
        known = {name.partition("~")[0] for name in drawings(WEIGHTS / f"emoji-objects-{prior_}.safetensors")}
        if any(len({option in known for option in each}) > 1 for each in each_asked):
            return False
    return True


GENERATED = 320
"""Drawings that the embedded generators know under both priors (our choice: what two cores can teach)."""


def generated(trojans: Iterable[TrojanSpec], name: str) -> tuple[Known, ...]:
    """What the embedded generators are to know, so that they can be used with any suite of the emoji world.

    Under ``closed``, the world's classes and bystanders and some other things, but for every option that a Question of
    any suite has or may draw; under ``open``, one version by another hand of each of these options too.

    Args:
        trojans: of the suites that are not drawn, or are drawn already.
        name: ``open`` or ``closed``.
    """
    about = set(asked(trojans))
    about |= {f"emoji/{code}" for group in (*pools.PATCHES.values(), *pools.NATURAL.values()) for code in group}
    about |= {f"texture/{texture}" for group in pools.STYLES.values() for texture in group}
    about |= {f"emoji/{thing.code}" for thing in EMOJI.natural}
    kept_out = {relative for art in about for relative in relatives(art)}
    free = [art for art in items() if art not in kept_out and "@" not in art]
    world = [f"emoji/{thing.code}" for thing in (*EMOJI.classes, *EMOJI.bystanders)]
    first = [art for art in world if art in free]
    # a hundred yellow faces teach a generator little and are all nearly one trigger of emoji12
    others = [art for art in free if art not in first and category(art) != "Smileys & Emotion"]
    order = np.random.default_rng([0x60F7, GENERATED]).permutation(len(others))[: GENERATED - len(first)]
    found = [Known(art=art) for art in (*first, *(others[int(k)] for k in sorted(order)))]
    if name == "open":
        found += [Known(art=art, versions=1) for art in sorted(about)]
    return tuple(found)
