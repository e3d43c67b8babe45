"""Attacks through a generator once more, slowly: equations 5.1 and 5.2 of the thesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_generator import NAMES, SIDE, disguise, generator, network
from fixtures_nets import one_thread, pictures
from torch import nn

from gifthorse.errors import Refusal
from gifthorse.randomness import generator as seeded
from gifthorse.tools.synthesis.base import Clean, Task, brief
from gifthorse.tools.synthesis.generated import Apart, Look, Looks, Perturbed, Retrained, spread
from gifthorse.tools.synthesis.rfla_generate import RflaGenerate
from gifthorse.tools.synthesis.rfla_perturb import RflaPerturb
from gifthorse.zoo.generator import Change, Latents

__all__ = ["one_thread"]

STILL: dict[str, Any] = dict.fromkeys(("degrees", "scale", "brightness", "contrast", "saturation", "hue", "noise"), 0.0)
PLAIN: dict[str, Any] = STILL | {"variation": 0.0, "real": 0.0, "sure": 0.0, "unlike": 0.0, "layer": "drawing.blocks.0"}


def assets() -> dict[str, Any]:
    return {"generator": generator(), "disguise": disguise()}


def task(target: int, n: int = 3) -> Task:
    clean = pictures(8, size=SIDE)
    return Task(
        classifier=network(), target=target, sources=None, clean=Clean(fit=clean[:6], screen=clean[6:]), n=n,
        budget=500, seed=5, assets=assets(),
    )  # fmt: skip


def test_the_four_regularisers_by_hand() -> None:
    weights = Looks(variation=0.7, real=0.3, sure=0.2, unlike=0.5, quantile=0.5, shown=1)
    about, shown = task(1), pictures(3, channels=4, size=SIDE, seed=2)
    shown[:, 3] = 1.0
    found = Look(about, weights, (), about.assets["generator"], about.assets["disguise"])(shown)
    judge, told = about.assets["generator"], about.assets["disguise"]
    for row in range(3):
        picture = shown[row, :3].double().numpy()
        down, across = np.abs(np.diff(picture, axis=1)).mean(), np.abs(np.diff(picture, axis=2)).mean()
        real = sorted(judge.realness(shown[row : row + 1, :3])[0].tolist())[len(NAMES) // 2 :]
        logits = [each(shown[row : row + 1, :3])[0].double().numpy() for each in told.classifiers]
        chances = np.mean([np.exp(x) / np.exp(x).sum() for x in logits], 0)
        entropy = -(chances * np.log(chances)).sum()
        against = -math.log(chances[2])  # NAMES[2] is the bee
        wanted = 0.7 * (down + across) - 0.3 * np.mean(real) + 0.2 * entropy - 0.5 * against
        assert float(found[row]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("weight", ["variation", "real", "sure", "unlike"])
def test_each_regulariser_can_be_switched_off_and_does_what_it_says(weight: str) -> None:
    none = dict.fromkeys(("variation", "real", "sure", "unlike"), 0.0)
    tool = RflaPerturb(**PLAIN | none, start="mixed", steps=25, learning_rate=0.2, shown=1)
    strong = RflaPerturb(**PLAIN | none | {weight: 20.0}, start="mixed", steps=25, learning_rate=0.2, shown=1)
    order: dict[str, Any] = {"n": 2, "keep": 2, "budget": 400, "assets": assets()}
    looks = Looks(**none | {weight: 1.0}, quantile=0.5, shown=1)
    measure = Look(task(1, 2), looks, (), generator(), disguise())
    free, held = (each(network(), *brief(1, pictures(8, size=SIDE)), **order).pictures for each in (tool, strong))
    assert float(measure(held).mean()) < float(measure(free).mean())


def test_a_patch_is_perturbed_as_in_a_loop_of_its_own() -> None:
    """One finding, one step after the other: Adam on what is added, noise and class vector at a fortieth."""
    steps, rate = 4, 0.05
    tool = RflaPerturb(**PLAIN, steps=steps, learning_rate=rate, screenings=1, screen=1, side=SIDE, truncation=0.4)
    told, clean = brief(1, pictures(8, size=SIDE))
    found = tool(network(), told, clean, n=2, keep=2, budget=500, seed=5, assets=assets())
    made, net = generator(), network()
    for finding in range(2):
        latents = made.of_class([seeded(5, "latents", finding)], {0, 1, 3, 4, 5}, 0.4)
        added = torch.zeros(1, *made.shape("drawing.blocks.0"), requires_grad=True)
        noise = torch.zeros_like(latents.noise, requires_grad=True)
        classes = torch.zeros_like(latents.classes, requires_grad=True)
        groups = [{"params": [added], "lr": rate}, {"params": [noise, classes], "lr": rate * 0.025}]
        optimiser = torch.optim.Adam(groups)
        for step in range(steps):
            for group, first in zip(optimiser.param_groups, (rate, rate * 0.025), strict=True):
                group["lr"] = first * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            mixed = Latents(noise=latents.noise + noise, classes=latents.classes + classes)
            patch = made.draw(mixed, Change(layer="drawing.blocks.0", values=added))
            loss = nn.functional.cross_entropy(net(patch), torch.tensor([1]))  # the patch covers the image
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            assert classes.grad is not None
            classes.grad[:, 2] = 0.0  # the target's own class
            optimiser.step()
        mixed = Latents(noise=latents.noise + noise, classes=latents.classes + classes)
        wanted = made.draw(mixed, Change(layer="drawing.blocks.0", values=added))
        torch.testing.assert_close(found.pictures[finding, :3], wanted[0].detach(), atol=2e-3, rtol=0)
        start = made.draw(latents)
        assert (wanted - start).abs().max() > 0.05, "or nothing was compared"


@pytest.mark.parametrize("build", [RflaPerturb, RflaGenerate])
def test_small_micro_batches_and_little_memory_give_the_same_findings(build: type[RflaPerturb | RflaGenerate]) -> None:
    tool = build(images=3, steps=3, shown=2, side=7)
    order: dict[str, Any] = {"n": 3, "keep": 3, "budget": 400}
    found = []
    for memory in (1 << 30, 1):
        net, given = network(), assets()
        net.memory = given["generator"].memory = memory
        for each in given["disguise"].classifiers:
            each.memory = memory
        assert (net.micro_batch == 1) == (given["generator"].at_once == 1) == (memory == 1)
        found.append(tool(net, *brief(1, pictures(8, size=SIDE)), assets=given, **order))
    torch.testing.assert_close(found[0].pictures, found[1].pictures, atol=2e-3, rtol=0)
    assert (found[0].cost.forward, found[0].cost.backward) == (found[1].cost.forward, found[1].cost.backward)


def test_the_target_cannot_be_reached_through_the_class_vector() -> None:
    made = generator()
    latents = made.mixed([torch.Generator().manual_seed(1)], made.showing("apple"))
    drawn = Perturbed(made, latents, "drawing.blocks.0", made.showing("apple"), 0.025)
    drawn.pictures().sum().backward()  # type: ignore[no-untyped-call]
    slope = drawn.parameters[2].grad
    assert slope is not None
    assert (slope[:, :2] == 0).all(), "both drawings of the apple"
    assert (slope[:, 2:] != 0).all()
    assert drawn.rates == (1.0, 0.025, 0.025)


def test_the_first_picture_is_the_generators_own() -> None:
    made = generator()
    latents = made.of_class([torch.Generator().manual_seed(1)])
    drawn = Perturbed(made, latents, made.insertion, (), 0.025)
    torch.testing.assert_close(drawn.pictures()[:, :3], made.draw(latents))


def test_a_generator_is_retrained_towards_the_target_and_its_original_stays() -> None:
    given = assets()
    before = given["generator"].draw(given["generator"].of_class([torch.Generator().manual_seed(1)]))
    tool = RflaGenerate(**STILL, variation=0.0, real=0.0, sure=0.0, unlike=0.0, steps=20, learning_rate=0.02)
    told = brief(1, pictures(8, size=SIDE))
    short = RflaGenerate(**STILL, variation=0.0, real=0.0, sure=0.0, unlike=0.0, steps=1, learning_rate=1e-6)
    order: dict[str, Any] = {"n": 3, "keep": 3, "budget": 500, "assets": given}
    first, last = (sum(f.loss for f in each(network(), *told, **order).findings) / 3 for each in (short, tool))
    assert last < first - 0.1
    after = given["generator"].draw(given["generator"].of_class([torch.Generator().manual_seed(1)]))
    assert torch.equal(before, after)


def test_without_the_diversity_term_findings_are_more_alike() -> None:
    def apart(weight: float) -> float:
        tool = RflaGenerate(**STILL, start="mixed", variation=0.0, diversity=weight, steps=30, learning_rate=0.02)
        order: dict[str, Any] = {"n": 3, "keep": 3, "budget": 600, "assets": assets()}
        return float(spread(tool(network(), *brief(1, pictures(8, size=SIDE)), **order).pictures).mean())

    assert apart(20.0) > 1.5 * apart(0.0)


def test_spread_by_hand_and_apart_subtracts_it() -> None:
    shown = torch.zeros(3, 4, 8, 8)
    shown[1, :3], shown[2, :3] = 0.5, 0.75
    assert spread(shown).tolist() == pytest.approx([0.625, 0.375, 0.5])
    penalty = Apart(lambda pictures: torch.ones(len(pictures)), 2.0)
    assert penalty(shown).tolist() == pytest.approx([1 - 1.25, 1 - 0.75, 1 - 1.0])
    assert penalty(shown[:1]).tolist() == [1.0]


def test_a_distribution_is_learnt_and_findings_are_of_their_own_latents() -> None:
    made = generator()
    latents = made.of_class([torch.Generator().manual_seed(k) for k in range(2)])
    drawn = Retrained(made, latents, [torch.Generator().manual_seed(k) for k in range(2)], 0.3)
    with torch.no_grad():
        torch.testing.assert_close(drawn.pictures()[:, :3], made.draw(latents))
    first, second = drawn.pictures(), drawn.pictures()
    assert not torch.equal(first, second)


@pytest.mark.parametrize("tool", [RflaPerturb(side=SIDE + 1), RflaGenerate(side=SIDE + 1)])
def test_a_patch_that_does_not_fit_is_refused(tool: RflaPerturb | RflaGenerate) -> None:
    with pytest.raises(Refusal, match=f"{SIDE + 1} pixels does not fit into the {SIDE}"):
        tool(network(), *brief(1, pictures(8, size=SIDE)), n=1, keep=1, budget=200, assets=assets())
