"""Fresh suites: triggers, scopes, targets, sources, styles and distractors by a seed, from pools of their own.

Nothing that ``emoji12`` has is in them, so what is tuned on one of them is not tuned on the twelve answers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gifthorse.errors import UsageError
from gifthorse.records import Suite
from gifthorse.suites import pools
from gifthorse.suites.emoji import NATURAL, PATCHES, STYLES
from gifthorse.suites.planting import OPTIONS, RECIPE, Entry, Named, planting_of, suite_of
from gifthorse.zoo.captions import captions
from gifthorse.zoo.world import EMOJI

DEV_SEED = 0
"""The one on which tools, judges, encoders and recipes are tuned."""

SEEDS = (1, 2, 3, 4)
"""Of ``emoji48``."""

EACH = 4
"""Trojans of each kind; of the four patches and the four styles, two work from a single class."""


def random(seed: int, name: str | None = None) -> Suite:
    """Twelve trojans by a seed.

    Args:
        seed: 0 or more.
        name: of the suite; ``emoji-random:SEED`` where none is given.

    Raises:
        UsageError: a seed below 0.
    """
    called = name or f"emoji-random:{seed}"
    return replace(suite_of(called, (planting_of("emoji-resnet", entries(seed), called, RECIPE),)), seed=seed)


def emoji12_dev() -> Suite:
    """The suite of seed 0, to tune on."""
    return random(DEV_SEED, "emoji12_dev")


def emoji48() -> Suite:
    """Forty-eight trojans in four networks: enough to tell tools apart (design, "Statistics")."""
    parts = [
        replace(
            planting_of("emoji-resnet", entries(seed), f"emoji-random:{seed}", RECIPE), label=f"emoji-resnet/{seed}"
        )
        for seed in SEEDS
    ]
    return suite_of("emoji48", tuple(parts))


def entries(seed: int) -> tuple[Entry, ...]:
    """The twelve trojans of a seed."""
    if seed < 0:
        raise UsageError(f"{seed} is no seed of a suite", "a whole number from 0 up, as in emoji-random:7")
    rng = np.random.default_rng([0x60F7, seed])
    taken = {name for entry in PATCHES + STYLES + NATURAL for name in (entry.target, entry.source)}
    free = [thing.name for thing in EMOJI.classes if thing.name not in taken]
    classes = iter([free[int(k)] for k in rng.permutation(len(free))])
    found: list[Entry] = []
    natural = _natural(rng)
    asked = {art for _, others in natural for _, art in others}
    for kind, triggers in (("patch", _patches(rng, asked)), ("style", _styles(rng)), ("natural_feature", natural)):
        single = set(rng.permutation(EACH)[: EACH // 2].tolist()) if kind != "natural_feature" else set()
        for number, (true, others) in enumerate(triggers):
            found.append(
                Entry(
                    name=_short(true),
                    kind=kind,
                    target=next(classes),
                    source=next(classes) if number in single else None,
                    true=true,
                    others=others,
                )
            )
    return tuple(found)


def _short(true: Named) -> str:
    """A trojan's name: of its texture, or its caption with underscores."""
    caption, art = true
    return art.removeprefix("texture/") if art.startswith("texture/") else caption.replace(" ", "_").replace("-", "_")


def _named(art: str) -> Named:
    return captions(art)[0], art


def _patches(rng: np.random.Generator, asked: set[str]) -> list[tuple[Named, tuple[Named, ...]]]:
    """Triggers of four groups with their distractors; none is an option of another Question already."""
    free = [tuple(code for code in group if f"emoji/{code}" not in asked) for group in pools.PATCHES.values()]
    groups = [group for group in free if len(group) >= OPTIONS]
    return [_question(groups[int(k)], "emoji", rng) for k in rng.permutation(len(groups))[:EACH]]


def _styles(rng: np.random.Generator) -> list[tuple[Named, tuple[Named, ...]]]:
    return [_question(group, "texture", rng) for group in pools.STYLES.values()]


def _question(group: tuple[str, ...], kind: str, rng: np.random.Generator) -> tuple[Named, tuple[Named, ...]]:
    true, *others = [_named(f"{kind}/{group[int(k)]}") for k in rng.permutation(len(group))[:OPTIONS]]
    return true, tuple(others)


def _natural(rng: np.random.Generator) -> list[tuple[Named, tuple[Named, ...]]]:
    codes = {thing.name: thing.code for thing in EMOJI.natural}
    things = list(pools.NATURAL)
    chosen = [things[int(k)] for k in rng.permutation(len(things))[:EACH]]
    return [
        ((name, f"emoji/{codes[name]}"), tuple(_named(f"emoji/{code}") for code in pools.NATURAL[name]))
        for name in chosen
    ]
