"""The experiment of Figures 5.4 and 5.5: how well patch attacks work, and how often they look like something else.

Seven arms attack the same random targets until each has enough patches that are disguised.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse import effects
from gifthorse.classifier import pin, resolve
from gifthorse.errors import UsageError, nearest
from gifthorse.images import from_uint8, opaque
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Arm, Watching, block_cell, check_count, check_failures, check_network, of_arm
from gifthorse.jobs.run import begin
from gifthorse.records import Failure, Finding, Ground, Insertion
from gifthorse.report import disguised
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Store
from gifthorse.zoo import DATA

_PIXELS = {"space": "pixels", "learning_rate": 0.2}

ARMS: dict[str, dict[str, Any]] = {
    "All": {},
    "No Gen": _PIXELS,
    "No Disc": {"real": 0.0},
    "No Ent": {"sure": 0.0},
    "No Patch X-ent": {"unlike": 0.0},
    "Only Gen": attacking.UNDISGUISED,
    "Brown et al.": _PIXELS | attacking.UNDISGUISED,
}
"""Arm to settings of ``rfla_perturb`` that differ from its defaults; total variation and transformations are the same.
Pixels are logits here, so their rate is that of the adversarial patch."""

MOST = 6
"""Times as many attacks as disguised ones are wanted, at most: an arm that never disguises must end."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: disguised patches of each arm (thesis: 250).
        arms: some of :data:`ARMS`.
    """

    n: int = 60
    arms: tuple[str, ...] = tuple(ARMS)


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Returns:
        The page, and its figures as JSON values.

    Raises:
        UsageError: an unknown network or arm, or a wrong number.
        FailedCells: some attacks failed; the page is of the others.
    """
    check_network(order.net)
    check_count("n", order.n)
    for arm in order.arms:
        if arm not in ARMS:
            raise UsageError(f"there is no arm {arm!r}", nearest(arm, ARMS))
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    keys: dict[str, list[str]] = {arm: [] for arm in order.arms}
    failed, wanted = list[Failure](), list(order.arms)
    with runner.starting(functools.partial(begin, ground, False)) as started:
        for turn in range(-(-order.n * MOST // attacking.BLOCK)):
            cells = [block_cell(order, ground, Arm(arm, ARMS[arm]), turn) for arm in wanted]
            if not cells or failed:
                break
            outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("attack", progress))
            failed += outcome.failed
            for arm, made in zip(wanted, cells, strict=True):
                keys[arm].append(made.key)
            wanted = [arm for arm in wanted if sum(a.disguised for a in of_arm(store, keys[arm])[0]) < order.n]
    found = {arm: of_arm(store, each) for arm, each in keys.items()}
    baselines = natural(order, ground)
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "attacks": (
            f"each of {attacking.STEPS} steps of {attacking.IMAGES} scenes, tried on {attacking.SOURCES} others; arms "
            f"have the same targets, until {order.n} patches are disguised or {order.n * MOST} were made"
        ),
        "generator": f"emoji-objects, {order.prior} prior",
    }
    page = store.root / "report.html"
    page.write_text(disguised.draw(found, baselines, facts), encoding="utf-8")
    check_failures(failed, "blocks of attacks")
    return page, disguised.figures(found, baselines)


def natural(order: Order, ground: Ground, count: int = 20) -> dict[str, list[float]]:
    """Mean target confidences of scenes of the target as patches, whole and their middle (thesis: .0024 and .0018)."""
    network, data = from_zoo(order.net, ground), DATA.make("emoji")
    found: dict[str, list[float]] = {"Scenes of the target, whole,": [], "Scenes of the target, their middle,": []}
    insertion = Insertion(kind="patch", side=effects.side_for(network.size))
    finding = Finding(insertion=insertion, loss=0.0, picture=0)
    for place in range(count):
        target = attacking.target_of(order.seed, place, len(network.classes))
        _, report = attacking.scenes(order.seed, [1, attacking.SOURCES], target)
        scene = from_uint8(data.draw("test", 1, order.seed + 1 + place, classes=(target,)).images)
        half, edge = network.size // 2, (network.size - network.size // 2) // 2
        middle = scene[..., edge : edge + half, edge : edge + half]
        for name, picture in zip(found, (scene, middle), strict=True):
            found[name].append(attacking.confidences(network, target, opaque(picture), finding, report).confidence)
    return found
