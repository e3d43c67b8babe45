"""Blocks of patch attacks for experiments: universal, targeted, each tried on scenes that it did not see.

A block is a unit of a run folder, so a stopped experiment goes on where it was. Arms of an experiment attack the same
random targets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gifthorse import effects
from gifthorse.classifier import Classifier
from gifthorse.errors import FailedCells, UsageError, nearest
from gifthorse.images import from_uint8, over, resize, to_uint8
from gifthorse.randomness import generator
from gifthorse.records import Attack, Attacks, Cell, Failure, Finding, Ground, Spec, cell, plain, read
from gifthorse.runner import Runner
from gifthorse.stages.assets import POOL, embedded
from gifthorse.stages.networks import from_zoo
from gifthorse.store import Draft, Store, Unit
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import brief
from gifthorse.zoo import DATA, GENERATORS, NETWORKS, POOLS, captions
from gifthorse.zoo.data import Data
from gifthorse.zoo.emoji_networks import EmojiNetwork
from gifthorse.zoo.emoji_wide import EmojiWide
from gifthorse.zoo.ensemble import ensemble
from gifthorse.zoo.patch_pool import PatchPool

VERSION = 2
"""Raised whenever the same inputs give another content."""

STEPS, IMAGES = 64, 8
"""Of an attack (notebook: 64 steps of 32 images; ours)."""

BLOCK = 6
"""Targets of a cell."""

UNDISGUISED = {"real": 0.0, "sure": 0.0, "unlike": 0.0}
"""Settings of ``rfla_perturb`` for patches that may look like the target (thesis 5.1.3 and 5.2.1)."""

SOURCES = 100
"""Scenes on which each attack is tried (thesis, Figure 5.4)."""

FITTED = 64
"""Scenes that an attack is made on, of which a quarter screens."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every experiment is asked.

    Attributes:
        net: a network of the emoji world.
        prior: of the generator.
        threads: of torch in each process, on a CPU.
    """

    net: str = "emoji-resnet"
    prior: str = "open"
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 1


def check_network(name: str) -> None:
    """An experiment needs scenes.

    Raises:
        UsageError: it is no network of the emoji world.
    """
    known = [each for each in NETWORKS if issubclass(NETWORKS.load(each), EmojiNetwork)]
    if name not in known:
        raise UsageError(f"{name!r} is no network of the emoji world", nearest(name, known))


def check_count(name: str, value: int) -> None:
    """A number of something.

    Raises:
        UsageError: it is below 1.
    """
    if value < 1:
        raise UsageError(f"--{name} is {value}", "a number above 0")


def check_failures(failed: Sequence[Failure], what: str) -> None:
    """All cells of an experiment are there.

    Raises:
        FailedCells: some are not; it names the first.
    """
    if failed:
        raise FailedCells(
            f"{len(failed)} of the {what} failed; the first, {failed[0].label}: {failed[0].error}",
            "run again once the cause is mended: what is there is not made again",
        )


class Arm(NamedTuple):
    """One way to make attacks: what it is called, settings that differ from the defaults, and of which tool."""

    called: str
    settings: dict[str, Any]
    tool: str = "rfla_perturb"

    @property
    def spec(self) -> Spec:
        """The tool. One that makes its own scenes takes one a step, and as many steps as the budget pays for."""
        pace = {"images": IMAGES, "steps": STEPS} if self.tool == "rfla_perturb" else {}
        return TOOLS.spec(self.tool, pace | self.settings)


def block_cell(order: Order, ground: Ground, arm: Arm, turn: int, attacked: tuple[str, ...] = ()) -> Cell:
    """The cell of an arm's block of attacks.

    Args:
        turn: which block, from 0.
        attacked: networks that the attacks are made on, together; the one that they are tried on, by default.
    """
    row = GENERATORS.make("emoji-objects", {"prior": order.prior})
    on = attacked or (order.net,)
    inputs = {
        "version": VERSION,
        "arm": arm.called,
        "tool": plain(arm.spec),
        "budget": 2 * IMAGES * STEPS,
        "net": order.net,
        "classifier": from_zoo(order.net, ground).digest,
        "attacked": [[name, from_zoo(name, ground).digest] for name in on],
        "assets": {"prior": order.prior, "digest": row.digest}
        | ({"scenes": row.scenes().digest} if "scenes" in TOOLS.load(arm.tool).prepares else {})
        | ({"pool": everything().digest} if "pool" in TOOLS.load(arm.tool).prepares else {}),
        "ground": plain(ground),
        "seed": order.seed,
        "block": [turn, BLOCK],
        "scenes": [FITTED, SOURCES],
    }
    label = f"{arm.called}, attacks {turn * BLOCK + 1} to {(turn + 1) * BLOCK}"
    weight = float(BLOCK * STEPS * IMAGES * 2 * len(on))
    return cell("attacks", label, "gifthorse.jobs.attacking:attack", inputs, context={"arm": arm.called}, weight=weight)


def attack(store: Store, made: Cell, draft: Draft) -> Attacks:
    """Make a unit: one attack for each target of the block."""
    told, ground = made.inputs, read(Ground, made.inputs["ground"])
    network = from_zoo(told["net"], ground)
    names = [name for name, _ in told["attacked"]]
    attacked = network if names == [told["net"]] else ensemble([from_zoo(name, ground) for name in names])
    row = GENERATORS.make("emoji-objects", {"prior": told["assets"]["prior"]})
    device, precision = ground.device, ground.precision
    tool = TOOLS.remake(read(Spec, told["tool"]))
    assets = {"disguise": row.disguise(device, precision)}
    for name, of in (("generator", lambda: row), ("scenes", row.scenes)):
        if name in tool.prepares:
            assets[name] = of().load(device=device, precision=precision)
    if "pool" in tool.prepares:
        assets["pool"] = embedded(store, everything(), network)
    proxy = EmojiWide(robust="plain").load(device=device, precision=precision)
    attacks, pictures = [], []
    turn, count = told["block"]
    with attacked.counting() as passed:
        for place in range(turn * count, (turn + 1) * count):
            target, seed = target_of(told["seed"], place, len(network.classes)), 1_000_003 * told["seed"] + place
            fit, report = scenes(told["seed"], told["scenes"], target)
            # what screening takes comes on top; a tool that only screens has no number of screenings
            budget = told["budget"] + getattr(tool, "screen", 1) * getattr(tool, "screenings", 1)
            found = tool(attacked, *brief(target, fit), n=1, keep=1, budget=budget, seed=seed, assets=assets)
            attacks.append(_tried(network, proxy, target, (found.pictures, found.findings[0]), report))
            pictures.append(to_uint8(found.pictures))
            draft.progress((place - turn * count + 1) / count)
    draft.count(forward=passed.forward, backward=passed.backward)
    stored = draft.images("pictures", np.concatenate(pictures))
    return Attacks(arm=told["arm"], network=told["net"], attacks=tuple(attacks), pictures=stored)


@functools.cache
def everything() -> PatchPool:
    """The world's pool of natural patches where there is no Question."""
    pool: PatchPool = POOLS.load(POOL).knowing((), "open").pool()
    return pool


def target_of(seed: int, place: int, classes: int) -> int:
    """The target of the attack at a place: random, and the same in every arm."""
    return int(torch.randint(classes, (), generator=generator(seed, "target", place)))


def scenes(seed: int, counts: list[int], target: int) -> tuple[Tensor, Tensor]:
    """So many scenes to make an attack on and so many others to try it on, none of them of the target."""
    data: Data = DATA.make("emoji")
    rest = tuple(index for index in range(len(data.classes)) if index != target)
    fitted, tried = counts
    fit = data.draw("train", fitted, seed, classes=rest)
    return from_uint8(fit.images), from_uint8(data.draw("test", tried, seed, classes=rest).images)


def confidences(network: Classifier, target: int, pictures: Tensor, finding: Finding, report: Tensor) -> effects.Tried:
    """What one picture does in scenes, and by itself."""
    draw = generator(target, "tried")
    (tried,) = effects.try_out(network, to_uint8(report), target, to_uint8(pictures), {0: finding}, draw)
    return tried


def _tried(network: Classifier, proxy: Classifier, target: int, made: tuple[Tensor, Finding], report: Tensor) -> Attack:
    pictures, finding = made
    tried = confidences(network, target, pictures, finding, report)
    seen = proxy.predict(resize(over(pictures), proxy.size).clamp(0, 1))[0]
    return Attack(
        target=target,
        aimed=network.classes[target],
        confidence=tried.confidence,
        hits=tried.hits,
        n=tried.n,
        alone=tried.alone,
        alone_confidence=tried.alone_confidence,
        looks=captions.captions(proxy.classes[int(seen.argmax())].partition("~")[0])[0],
        realism=float(seen.max()),
        loss=finding.loss,
    )


def of_arm(store: Store, keys: list[str]) -> tuple[list[Attack], np.ndarray]:
    """The attacks of some blocks that are there, and their pictures ``(n, 4, h, w)`` uint8."""
    attacks, pictures = list[Attack](), []
    for key in keys:
        if store.has(key):
            unit: Unit = store.get(key)
            record = unit.record(Attacks)
            attacks += record.attacks
            pictures.append(unit.images(record.pictures))
    return attacks, np.concatenate(pictures) if pictures else np.zeros((0, 4, 1, 1), np.uint8)


Watching = Callable[[str, Any], None]
"""Told of each step, with the stage's name."""


@dataclass(frozen=True)
class Bench:
    """Where an experiment works: its run folder, its runner, and who is told."""

    store: Store
    runner: Runner
    watch: Watching
