"""Table 5.1 of the thesis, measured: what the pictures of each synthesis tool can do, a figure in each cell."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gifthorse import effects, printing
from gifthorse.classifier import Classifier, pin, resolve
from gifthorse.errors import UsageError, nearest
from gifthorse.images import as_floats, over, resize
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Arm, Watching, block_cell, check_count, check_failures, check_network, of_arm
from gifthorse.jobs.run import begin
from gifthorse.randomness import generator
from gifthorse.records import Attack, Ground
from gifthorse.report import capable
from gifthorse.report.capable import Proof
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Store
from gifthorse.tools import TOOLS
from gifthorse.zoo import ENCODERS, captions
from gifthorse.zoo.encoder import Encoder
from gifthorse.zoo.posed import Drawing, bank, showing

TOLD = tuple(name for name, row in TOOLS.items() if row.kind == "synthesis" and name != "truth")
"""Every synthesis tool; the true trigger is a control of suites, and here there is none."""

TRIED = 50
"""Scenes in which each picture is tried in every way."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: targets, drawn at random, the same for every tool.
        arms: the tools.
        held_out: the network that transfer is measured on.
    """

    n: int = 12
    arms: tuple[str, ...] = TOLD
    held_out: str = "emoji-vgg"


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Every picture is tried as a patch, at random places of scenes that no tool saw, whatever its tool meant it for:
    only so do rows compare.

    Raises:
        UsageError: an unknown network or tool, or a wrong number.
        FailedCells: some pictures were not made; the page is of the others.
    """
    for name in (order.net, order.held_out):
        check_network(name)
    check_count("n", order.n)
    for tool in order.arms:
        if tool not in TOLD:
            raise UsageError(f"there is no synthesis tool {tool!r}", nearest(tool, TOLD))
    if order.held_out == order.net:
        raise UsageError(f"{order.net} is both attacked and held out", "--net, another network")
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    turns = range(-(-order.n // attacking.BLOCK))
    cells = [block_cell(order, ground, Arm(tool, {}, tool), turn) for tool in order.arms for turn in turns]
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("attack", progress))
    trial = _Trial(order, ground)
    found = {}
    for tool in order.arms:
        attacks, pictures = of_arm(store, [cell.key for cell in cells if cell.context["arm"] == tool])
        attacks, pictures = attacks[: order.n], pictures[: order.n]
        if attacks:
            proofs = [trial.of(attack, picture) for attack, picture in zip(attacks, as_floats(pictures), strict=True)]
            found[tool] = (proofs, pictures)
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "targets": f"{order.n}, drawn at random, the same for every tool",
        "pictures": (
            f"one a target, within {2 * attacking.IMAGES * attacking.STEPS:,} passes; tried as patches of "
            f"{effects.side_for(trial.network.size)} pixels in {TRIED} scenes that no tool saw"
        ),
        "held out": order.held_out,
        "generators": f"emoji-objects and emoji-scenes, {order.prior} prior",
    }
    page = store.root / "report.html"
    page.write_text(capable.draw(found, facts), encoding="utf-8")
    check_failures(outcome.failed, "blocks of pictures")
    return page, capable.figures(found)


class _Trial:
    """What every picture is put through."""

    def __init__(self, order: Order, ground: Ground) -> None:
        self.network, self.other = from_zoo(order.net, ground), from_zoo(order.held_out, ground)
        self._seed, self._guesses = order.seed, Guesses(ENCODERS.make("emoji-encoder").load())

    def of(self, attack: Attack, picture: Tensor) -> Proof:
        """One picture ``(4, h, w)`` in [0, 1] of one attack."""
        target = attack.target
        _, scenes = attacking.scenes(self._seed, [0, TRIED], target)
        side = effects.side_for(self.network.size)

        def pasted(network: Classifier, what: Tensor) -> Tensor:
            draw = generator(self._seed, "pasted", target)
            return effects.pasted(network, scenes, what, side, draw).after

        seen = pasted(self.network, picture)
        before = self.network.predict(scenes)[:, target]
        taken = printing.photographed(
            scenes, picture.expand(len(scenes), -1, -1, -1), side, printing.Camera(), generator(self._seed, "camera")
        )
        alone = self.network.predict(over(resize(picture[None], self.network.size)))[0]
        name, drawing = self._guesses.of(picture, self.network.classes[target])
        guessed = pasted(self.network, drawing)[:, target]
        return Proof(
            aimed=self.network.classes[target],
            hits=int((seen.argmax(1) == target).sum()),
            n=len(scenes),
            confidence=float(seen[:, target].mean()),
            disguised=int(alone.argmax()) != target,
            alone=self.network.classes[int(alone.argmax())],
            physical=float(self.network.predict(taken)[:, target].mean()),
            transferred=float(pasted(self.other, picture)[:, target].mean()),
            guess=captions.captions(name)[0],
            guessed=float(guessed.mean() - before.mean()),
        )


class Guesses:
    """What a picture looks like to the encoder, of all drawings that do not show the target.

    It stands for the person who looks at an adversary and pastes what it reminds them of (thesis 5.1.3).
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.names = tuple(name for name in captions.items() if name.startswith("emoji/") and "@" not in name)
        drawn = bank(tuple(Drawing(art=name) for name in self.names))
        self._pictures = torch.cat([drawn[:, :3] / drawn[:, 3:].clamp_min(1e-4), drawn[:, 3:]], 1).clamp(0, 1)
        self._known = encoder.images(over(self._pictures))

    def of(self, picture: Tensor, target: str) -> tuple[str, Tensor]:
        """The name of the drawing that a picture ``(4, h, w)`` is nearest to, and it ``(4, 48, 48)``."""
        likeness = self._known @ self._encoder.images(over(picture[None]))[0]
        likeness[list(showing(self.names, target))] = -1.0
        best = int(likeness.argmax())
        return self.names[best], self._pictures[best]
