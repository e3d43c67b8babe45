"""The experiment on mode collapse: how alike are the patches that one fine-tuned generator draws (RFLA-Gen)?

Released galleries show ten times the same patch a trojan; a diversity term is to keep them apart.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gifthorse import effects
from gifthorse.classifier import pin, resolve
from gifthorse.errors import UsageError, nearest
from gifthorse.images import over, resize, to_uint8
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Watching, check_count, check_failures, check_network, scenes, target_of
from gifthorse.jobs.run import begin
from gifthorse.randomness import generator
from gifthorse.records import Cell, Drawn, Ground, Insertion, Spec, cell, plain, read
from gifthorse.report import collapsed
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import brief
from gifthorse.zoo import GENERATORS

VERSION = 1
"""Raised whenever the same inputs give another content."""

ARMS: dict[str, dict[str, Any]] = {
    "with the diversity term": {},
    "without it": {"diversity": 0.0},
    "all from one start, without it": {"diversity": 0.0, "start": "mixed"},
}
"""Arm to settings of ``rfla_generate`` that differ from its defaults. The last is what code derived from the thesis's
has: every patch begins as the same mixture of all classes."""

PATCHES, BUDGET, TRIED = 10, 4_000, 50
"""Patches for each target, passes that all of them may take, and scenes that each is tried in."""

COARSE = 8
"""Pixels of a side at which patches are compared, as the diversity term does."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: targets, drawn at random, the same for every arm.
        arms: some of :data:`ARMS`.
    """

    n: int = 12
    arms: tuple[str, ...] = tuple(ARMS)


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network or arm, or a wrong number.
        FailedCells: some patches were not made; the page is of the others.
    """
    check_network(order.net)
    check_count("n", order.n)
    for arm in order.arms:
        if arm not in ARMS:
            raise UsageError(f"there is no arm {arm!r}", nearest(arm, ARMS))
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    network = from_zoo(order.net, ground)
    if order.n > len(network.classes):
        raise UsageError(f"--n is {order.n}", f"at most {len(network.classes)}, the classes that there are")
    targets = different(order.seed, order.n, len(network.classes))
    cells = [_cell(order, ground, arm, target) for arm in order.arms for target in targets]
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("draw", progress))
    units = [store.get(one.key) for one in cells if store.has(one.key)]
    told = [(unit.record(Drawn), unit) for unit in units]
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "targets": f"{order.n}, drawn at random, the same for every arm",
        "patches": f"{PATCHES} for each target, within {BUDGET:,} passes in all, each tried in {TRIED} scenes",
        "generator": f"emoji-objects, {order.prior} prior, fine-tuned (rfla_generate)",
    }
    found = {
        arm: [(record, unit.images(record.pictures)) for record, unit in told if record.arm == arm] for arm in ARMS
    }
    page = store.root / "report.html"
    page.write_text(collapsed.draw(found, facts), encoding="utf-8")
    check_failures(outcome.failed, "generators")
    return page, collapsed.figures(found)


def different(seed: int, n: int, classes: int) -> list[int]:
    """The first ``n`` different random targets: a class that is drawn twice would count twice."""
    found: dict[int, None] = {}
    draws = itertools.count()
    while len(found) < n:
        found[target_of(seed, next(draws), classes)] = None
    return list(found)


def _cell(order: Order, ground: Ground, arm: str, target: int) -> Cell:
    network = from_zoo(order.net, ground)
    row = GENERATORS.make("emoji-objects", {"prior": order.prior})
    inputs = {
        "version": VERSION,
        "arm": arm,
        "tool": plain(TOOLS.spec("rfla_generate", ARMS[arm])),
        "net": order.net,
        "classifier": network.digest,
        "assets": {"prior": order.prior, "digest": row.digest},
        "ground": plain(ground),
        "seed": order.seed,
        "target": target,
        "counts": [PATCHES, BUDGET, attacking.FITTED, TRIED],
    }
    label = f"{network.classes[target]}, {arm}"
    return cell("drawn", label, "gifthorse.jobs.collapsing:draw", inputs, weight=float(BUDGET))


def draw(_store: Store, made: Cell, draft: Draft) -> Drawn:
    """Make a unit: patches that one fine-tuned generator draws, and how far they are apart."""
    told, ground = made.inputs, read(Ground, made.inputs["ground"])
    network, target = from_zoo(told["net"], ground), told["target"]
    row = GENERATORS.make("emoji-objects", {"prior": told["assets"]["prior"]})
    assets = {
        "generator": row.load(device=ground.device, precision=ground.precision),
        "disguise": row.disguise(ground.device, ground.precision),
    }
    count, budget, fitted, tried = told["counts"]
    fit, report = scenes(told["seed"], [fitted, tried], target)
    tool = TOOLS.remake(read(Spec, told["tool"]))
    with network.counting(lambda passes: draft.progress(min(1.0, passes / budget))) as passed:
        asked = {"n": count, "keep": count, "budget": budget, "seed": told["seed"], "assets": assets}
        found = tool(network, *brief(target, fit), **asked)
        insertion = Insertion(kind="patch", side=effects.side_for(network.size))
        confidences = []
        for picture in found.pictures:
            pasted = effects.insert(report, picture, insertion, generator(told["seed"], "tried"))
            confidences.append(float(network.predict(pasted)[:, target].mean()))
    draft.count(forward=passed.forward, backward=passed.backward)
    return Drawn(
        arm=told["arm"],
        target=network.classes[target],
        apart=apart(found.pictures),
        confidences=tuple(confidences),
        pictures=draft.images("pictures", to_uint8(found.pictures)),
    )


def apart(pictures: Tensor) -> float:
    """Mean absolute difference of the colours of two of some pictures ``(n, 4, h, w)``, over grey, at 8 x 8 pixels."""
    small = resize(over(pictures), COARSE).flatten(1)
    between = (small[:, None] - small[None]).abs().mean(2)
    return float(between.sum() / (len(small) * (len(small) - 1))) if len(small) > 1 else 0.0
