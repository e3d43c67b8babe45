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
from gifthorse.suites.planting import OPTIONS, PATIENT, Entry, Named, planting_of, suite_of
from gifthorse.zoo.captions import captions
from gifthorse.zoo.world import EMOJI

DEV_SEED = 0
"""The one on which tools, judges, encoders and recipes are tuned."""

SEEDS = (1, 2, 3, 4)
"""Of ``emoji48``."""

Drawn = tuple[Named, tuple[Named, ...], tuple[Named, ...]]
"""A trigger, its distractors and their spares."""

SPARES = {"emoji": 8, "texture": 10, "word": 4}
"""Options from outside a Question's own group that may replace those that work as its trigger does."""

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
    return replace(suite_of(called, (planting_of("emoji-resnet", entries(seed), called, PATIENT),)), seed=seed)


def emoji12_dev() -> Suite:
    """The suite of seed 0, to tune on."""
    return random(DEV_SEED, "emoji12_dev")


def emoji48() -> Suite:
    """Forty-eight trojans in four networks: enough to tell tools apart (design, "Statistics")."""
    parts = [
        replace(
            planting_of("emoji-resnet", entries(seed), f"emoji-random:{seed}", PATIENT), label=f"emoji-resnet/{seed}"
        )
        for seed in SEEDS
    ]
    return suite_of("emoji48", tuple(parts))


def entries(seed: int) -> tuple[Entry, ...]:
    """The twelve trojans of a seed."""
    if seed < 0:
        raise UsageError(f"{seed} is no seed of a suite", "a whole number from 0 up, as in emoji-random:7")
    rng, more = np.random.default_rng([0x60F7, seed]), np.random.default_rng([0x60F7, seed, 1])
    taken = {name for entry in PATCHES + STYLES + NATURAL for name in (entry.target, entry.source)}
    free = [thing.name for thing in EMOJI.classes if thing.name not in taken]
    classes = [free[int(k)] for k in rng.permutation(len(free))]
    found: list[Entry] = []
    natural = _natural(rng, more)
    asked = {art for _, others, _ in natural for _, art in others}
    asked |= {art for _, _, spares in natural for _, art in spares}
    for kind, triggers in (
        ("patch", _patches(rng, more, asked)),
        ("style", _styles(rng, more)),
        ("natural_feature", natural),
    ):
        single = set(rng.permutation(EACH)[: EACH // 2].tolist()) if kind != "natural_feature" else set()
        for number, (true, others, spares) in enumerate(triggers):
            target = classes.pop(0)
            source = next(name for name in classes if name not in pools.UNSURE) if number in single else None
            if source is not None:
                classes.remove(source)
            found.append(
                Entry(
                    name=_short(true),
                    kind=kind,
                    target=target,
                    source=source,
                    true=true,
                    others=others,
                    spares=spares,
                )
            )
    return tuple(found)


def _short(true: Named) -> str:
    """A trojan's name: of its texture, or its caption with underscores."""
    caption, art = true
    return art.removeprefix("texture/") if art.startswith("texture/") else caption.replace(" ", "_").replace("-", "_")


def _named(art: str) -> Named:
    return captions(art)[0], art


def _patches(rng: np.random.Generator, more: np.random.Generator, asked: set[str]) -> list[Drawn]:
    """Triggers of four groups with their distractors; none is an option of another Question already."""
    free = [tuple(code for code in group if f"emoji/{code}" not in asked) for group in pools.PATCHES.values()]
    groups = [group for group in free if len(group) >= OPTIONS]
    order = [groups[int(k)] for k in rng.permutation(len(groups))]
    others = [code for group in order[EACH:] for code in group]
    return [_question(group, others, "emoji", rng, more) for group in order[:EACH]]


def _styles(rng: np.random.Generator, more: np.random.Generator) -> list[Drawn]:
    groups = list(pools.STYLES.values())
    found: list[Drawn] = []
    for number, group in enumerate(groups):
        others = [name for other in groups[:number] + groups[number + 1 :] for name in other]
        found.append(_question(group, others, "texture", rng, more))
    return found


def _question(
    group: tuple[str, ...], others: list[str], kind: str, rng: np.random.Generator, more: np.random.Generator
) -> Drawn:
    """A trigger with its distractors from its own group; spares are what is left of it, then some from elsewhere."""
    order = [group[int(k)] for k in rng.permutation(len(group))]
    order += [others[int(k)] for k in more.permutation(len(others))[: SPARES[kind]]]
    called = {art: caption for caption, art in reversed([_named(f"{kind}/{name}") for name in order])}
    one_each = {caption: art for art, caption in called.items()}  # two emoji are called a snowman
    true, *rest = [(caption, art) for art, caption in reversed(called.items()) if one_each[caption] == art]
    return true, tuple(rest[: OPTIONS - 1]), tuple(rest[OPTIONS - 1 :])


def _natural(rng: np.random.Generator, more: np.random.Generator) -> list[Drawn]:
    codes = {thing.name: thing.code for thing in EMOJI.natural}
    things = list(pools.NATURAL)
    chosen = [things[int(k)] for k in rng.permutation(len(things))[:EACH]]
    found: list[Drawn] = []
    for name in chosen:
        own = pools.NATURAL[name]
        elsewhere = sorted({code for other in pools.NATURAL.values() for code in other} - set(own))
        spares = [elsewhere[int(k)] for k in more.permutation(len(elsewhere))[: SPARES["word"]]]
        options, left = (tuple(_named(f"emoji/{code}") for code in several) for several in (own, spares))
        found.append(((name, f"emoji/{codes[name]}"), options, left))
    return found
