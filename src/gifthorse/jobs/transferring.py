"""The experiment of Appendix A.1: patches that are made on some networks, tried on one that nobody looked into."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse.classifier import pin, resolve
from gifthorse.errors import UsageError
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Arm, Watching, block_cell, check_count, check_failures, check_network, of_arm
from gifthorse.jobs.run import begin
from gifthorse.report import tried_patches
from gifthorse.runner import Runner
from gifthorse.stages.work import fulfil
from gifthorse.store import Store

BEST, SIZEABLE = 5, 0.1
"""Patches that are shown, and the mean confidence above which one counts (thesis A.1)."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: patches (thesis: 64).
        ensemble: networks that they are made on, of at least two architectures; ``net`` is the one that is held out.
    """

    n: int = 64
    ensemble: tuple[str, ...] = ("emoji-vgg", "emoji-mobile", "emoji-vit")


def arms(order: Order) -> dict[str, tuple[str, tuple[str, ...]]]:
    """How attacks are made, by what it is called: the tool, and the networks that it looks into."""
    kinds = {"patches": "rfla_perturb", "generalized patches": "rfla_region"}
    return {f"{kind} made on others": (tool, order.ensemble) for kind, tool in kinds.items()} | {
        f"{kind} made on the network itself": (tool, (order.net,)) for kind, tool in kinds.items()
    }


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network, fewer than two, or one that is also held out.
        FailedCells: some attacks failed; the page is of the others.
    """
    for name in (order.net, *order.ensemble):
        check_network(name)
    check_count("n", order.n)
    if len(set(order.ensemble)) < 2 or order.net in order.ensemble:
        raise UsageError(
            f"patches made on {', '.join(order.ensemble)} and tried on {order.net}",
            "two networks or more, and another one to try on",
        )
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    turns = range(-(-order.n // attacking.BLOCK))
    cells = [
        block_cell(order, ground, Arm(called, {}, tool), turn, on)
        for called, (tool, on) in arms(order).items()
        for turn in turns
    ]
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("attack", progress))
    found = {}
    for arm in arms(order):
        attacks, pictures = of_arm(store, [cell.key for cell in cells if cell.context["arm"] == arm])
        found[arm] = (attacks[: order.n], pictures[: order.n])
    facts = {
        "made on": ", ".join(order.ensemble) + ", the mean of their probabilities",
        "tried on": f"{order.net}, on {attacking.SOURCES} scenes that no attack saw",
        "generators": f"emoji-objects and emoji-scenes, {order.prior} prior",
    }
    page = store.root / "report.html"
    page.write_text(tried_patches.draw_transfer(found, (BEST, SIZEABLE), facts), encoding="utf-8")
    check_failures(outcome.failed, "blocks of attacks")
    return page, tried_patches.figures(found, SIZEABLE)
