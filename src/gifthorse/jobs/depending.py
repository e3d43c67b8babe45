"""The experiment on sources: patches made on images of one class, tried on those of others, for one target.

A class-universal adversary is one of its source and its target (thesis 5.1.3); if it does not depend on the source, it
says nothing about both.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gifthorse.classifier import pin, resolve
from gifthorse.errors import UsageError, nearest
from gifthorse.images import from_uint8, to_uint8
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Watching, check_count, check_failures, check_network, confidences
from gifthorse.jobs.run import begin
from gifthorse.records import Cell, Crossed, Ground, Spec, cell, plain, read
from gifthorse.report import crossed
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import brief
from gifthorse.zoo import DATA, GENERATORS
from gifthorse.zoo.data import Data

VERSION = 1
"""Raised whenever the same inputs give another content."""

TRIED = 50
"""Scenes of each class on which patches are tried."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        target: name of the class that all patches are for.
        sources: names of the classes that they are made on and tried on.
        n: patches of each source.
    """

    target: str = "fly"
    sources: tuple[str, ...] = ("bee", "mosquito", "poodle", "owl", "taxi", "guitar")
    n: int = 5


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network or class, or fewer than two sources.
        FailedCells: some attacks failed.
    """
    check_network(order.net)
    check_count("n", order.n)
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    classes = list(from_zoo(order.net, ground).classes)
    for name in (order.target, *order.sources):
        if name not in classes:
            raise UsageError(f"{order.net} has no class {name!r}", nearest(name, classes))
    if len(set(order.sources)) < 2 or order.target in order.sources:
        raise UsageError(
            f"sources {', '.join(order.sources)} for the target {order.target}", "two or more, without the target"
        )
    cells = [source_cell(order, ground, classes, name) for name in order.sources]
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("attack", progress))
    check_failures(outcome.failed, "sources")
    rows, pictures = [], []
    for each in cells:
        unit = store.get(each.key)
        rows.append(unit.record(Crossed))
        pictures.append(unit.images(rows[-1].pictures))
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "target": order.target,
        "patches": f"{order.n} for each source, not disguised, tried on {TRIED} scenes of each class",
        "generator": f"emoji-objects, {order.prior} prior",
    }
    page = store.root / "report.html"
    page.write_text(crossed.draw(rows, pictures, facts), encoding="utf-8")
    return page, crossed.figures(rows)


def source_cell(order: Order, ground: Ground, classes: list[str], source: str) -> Cell:
    """The cell of one source's patches."""
    row = GENERATORS.make("emoji-objects", {"prior": order.prior})
    settings = {"images": attacking.IMAGES, "steps": attacking.STEPS} | attacking.UNDISGUISED
    inputs = {
        "version": VERSION,
        "tool": plain(TOOLS.spec("rfla_perturb", settings)),
        "net": order.net,
        "classifier": from_zoo(order.net, ground).digest,
        "assets": {"prior": order.prior, "digest": row.digest},
        "ground": plain(ground),
        "seed": order.seed,
        "n": order.n,
        "source": classes.index(source),
        "sources": [classes.index(name) for name in order.sources],
        "target": classes.index(order.target),
        "scenes": [attacking.FITTED, TRIED],
    }
    weight = float(order.n * attacking.STEPS * attacking.IMAGES * 2)
    return cell("crossed", f"patches made on {source}", "gifthorse.jobs.depending:cross", inputs, weight=weight)


def cross(store: Store, made: Cell, draft: Draft) -> Crossed:
    """Make a unit: patches on scenes of one class, tried on scenes of all."""
    told, ground = made.inputs, read(Ground, made.inputs["ground"])
    network = from_zoo(told["net"], ground)
    data: Data = DATA.make("emoji")
    row = GENERATORS.make("emoji-objects", {"prior": told["assets"]["prior"]})
    assets = {
        "generator": row.load(device=ground.device, precision=ground.precision),
        "disguise": row.disguise(ground.device, ground.precision),
    }
    tool = TOOLS.remake(read(Spec, told["tool"]))
    fitted, tried = told["scenes"]
    fit = from_uint8(data.draw("train", fitted, told["seed"], classes=(told["source"],)).images)
    budget = told["n"] * (2 * tool.images * tool.steps + tool.screen * tool.screenings)
    with network.counting(lambda passes: draft.progress(min(1.0, passes / budget))) as passed:
        asked = {"n": told["n"], "keep": told["n"], "budget": budget, "seed": told["seed"], "assets": assets}
        found = tool(network, *brief(told["target"], fit, sources=[told["source"]]), **asked)
        means = []
        for source in told["sources"]:
            scenes = from_uint8(data.draw("test", tried, told["seed"], classes=(source,)).images)
            each = [
                confidences(
                    network, told["target"], found.pictures[k : k + 1], replace(finding, picture=0), scenes
                ).confidence
                for k, finding in enumerate(found.findings)
            ]
            means.append(tuple(each))
    draft.count(forward=passed.forward, backward=passed.backward)
    return Crossed(
        source=network.classes[told["source"]],
        tried=tuple(network.classes[index] for index in told["sources"]),
        confidences=tuple(means),
        pictures=draft.images("pictures", to_uint8(found.pictures)),
    )
