"""Attacks on regions of generated scenes once more, slowly (thesis 5.1.2, and the notebook of its code)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from fixtures_generator import SIDE, disguise, generator, network
from fixtures_nets import one_thread, pictures
from torch import Tensor

from gifthorse.errors import Refusal
from gifthorse.randomness import generator as seeded
from gifthorse.tools.synthesis.base import Clean, Task, brief
from gifthorse.tools.synthesis.inserted import (
    AGREE,
    LARGEST,
    OPENED,
    SMOOTH,
    Inserted,
    Want,
    Wants,
    boxes,
    cut_out,
    generalised,
    known,
    regions,
)
from gifthorse.tools.synthesis.rfla_region import RflaRegion
from gifthorse.zoo.generator import Change
from gifthorse.zoo.posed import LATENT_OF

__all__ = ["one_thread"]

LAYER = "drawing.blocks.0"
OFF: dict[str, Any] = dict.fromkeys(("variation", "near", "alike", "real", "sure", "unlike"), 0.0)
BEE, DOG = 2, 5
"""Where the tiny generator has the drawings of two classes of the network's."""


def task(target: int = 1, sources: tuple[int, ...] | None = None, n: int = 3) -> Task:
    clean = pictures(8, size=SIDE)
    return Task(
        classifier=network(), target=target, sources=sources, clean=Clean(fit=clean[:6], screen=clean[6:]), n=n,
        budget=500, seed=5, assets={"scenes": generator(), "disguise": disguise()},
    )  # fmt: skip


def inserted(about: Task, change: str = "square", share: float = 0.2) -> Inserted:
    made = about.assets["scenes"]
    return Inserted(made, about.generators("scenes"), known(about, made), 0.4, (LAYER, change, share))


def test_scenes_are_of_the_sources_or_of_anything_but_the_target() -> None:
    assert known(task(target=1), generator()) == (0, 1, 3, 4, 5), "all but the bee"
    assert known(task(target=0, sources=(1, 2)), generator()) == (BEE, DOG)
    with pytest.raises(Refusal, match="tiny knows no scene of wolf"):
        known(task(target=0, sources=(3,)), generator())


@pytest.mark.parametrize("change", ["square", "channels"])
def test_what_is_inserted_stands_in_every_scene_and_nothing_else_changes(change: str) -> None:
    about = task()
    drawn, made = inserted(about, change), about.assets["scenes"]
    with torch.no_grad():
        drawn.parameters[0].normal_(generator=torch.Generator().manual_seed(1))
    first = drawn.pictures()
    seen = drawn.there
    again = drawn.pictures()
    assert not torch.equal(seen, drawn.there), "with gradients each step has scenes of its own"
    assert not torch.equal(first, again)
    told = drawn.change()
    out = told.of(drawn.there)
    channels, height, width = made.shape(LAYER)
    if change == "square":
        side = int(np.floor(np.sqrt(0.2) * height))
        assert drawn.parameters[0].shape == (3, channels, side, side)
        changed = (out != drawn.there).any(1)
        for row, (top, left) in enumerate(told.corners or ()):
            rows, columns = changed[row].nonzero().unbind(1)
            assert (int(rows.min()), int(columns.min())) == (top, left)
            assert (int(rows.max()), int(columns.max())) == (top + side - 1, left + side - 1)
            assert 1 <= top <= height - side - 1, "not at the frame's edge"
    else:
        count = round(0.2 * channels)
        assert drawn.parameters[0].shape == (3, count, height, width)
        assert [k for k in range(channels) if bool((out[:, k] != drawn.there[:, k]).any())] == list(told.channels or ())


def test_a_finding_has_what_is_drawn_at_one_place_in_all_its_scenes() -> None:
    about, places = task(), [0, 1, 2, 3]
    about.assets["scenes"].placing = tuple(places)
    placed = inserted(about)
    one, other = (placed.scenes([seeded(seed, "scenes", i) for i in range(3)]).noise for seed in (1, 2))
    assert torch.equal(one[:, places], other[:, places])
    assert not torch.equal(one[0, places], one[1, places])
    assert not torch.equal(one[:, 4:], other[:, 4:])


def test_without_gradients_a_finding_has_its_own_scene() -> None:
    drawn = inserted(task())
    with torch.no_grad():
        assert torch.equal(drawn.pictures(), drawn.pictures())


def test_the_distance_to_what_was_there_by_hand() -> None:
    drawn = inserted(task())
    with torch.no_grad():
        drawn.pictures()
    side = drawn.parameters[0].shape[-1]
    for row, (top, left) in enumerate(drawn.change().corners or ()):
        there = drawn.there[row, :, top : top + side, left : left + side].numpy()
        assert float(drawn.moved()[row].detach()) == pytest.approx(float(np.sqrt((there**2).mean())), rel=1e-5)


def slow_regions(after: Tensor, before: Tensor) -> np.ndarray:
    """Of one scene, ``(h, w)``, with scipy."""
    side = after.shape[-1]
    difference = np.stack(
        [
            scipy.ndimage.gaussian_filter(channel, SMOOTH * side, mode="nearest", truncate=3.0)
            for channel in (after - before).abs().double().numpy()
        ]
    )
    mask = (difference > np.quantile(difference, LARGEST)).any(0)
    width = 2 * max(1, round(OPENED * side)) + 1
    square = np.ones((width, width), bool)
    opened = scipy.ndimage.binary_opening(mask, structure=square)
    return np.asarray(scipy.ndimage.binary_closing(opened, structure=square), bool)


def test_regions_are_where_scipy_finds_them() -> None:
    after, before = pictures(5, size=64, seed=3), pictures(5, size=64, seed=4)
    after[:2] = before[:2]
    after[:2, :, 20:34, 40:50] += 0.5
    found = regions(after, before)
    for row in range(5):
        wanted = slow_regions(after[row], before[row])
        inner = (slice(3, -3), slice(3, -3))  # at the border a window is cut off, there and here
        assert (found[row].numpy()[inner] == wanted[inner]).mean() > 0.995
    rows, columns = found[0].nonzero().unbind(1)
    assert 14 <= int(rows.min()) <= 20
    assert 33 <= int(rows.max()) <= 39
    assert (int(columns.min()) + int(columns.max())) / 2 == pytest.approx(44.5, abs=1)


def test_the_smallest_square_around_a_region() -> None:
    masks = torch.zeros(2, 20, 20, dtype=torch.bool)
    masks[0, 2:6, 4:14] = True
    assert boxes(masks).tolist() == [[4.0, 9.0, 10.0], [10.0, 10.0, 20.0]]
    picture = torch.zeros(1, 1, 20, 20)
    picture[0, 0, 4:14, 4:14] = 1.0
    assert float(cut_out(picture, torch.tensor([[9.0, 9.0, 10.0]]), 10).min()) > 0.99
    wider = cut_out(picture, torch.tensor([[9.0, 9.0, 20.0]]), 20)
    assert float(wider.sum()) == pytest.approx(100, rel=0.02)


def test_a_generalised_patch_is_what_most_scenes_share() -> None:
    count, side = 10, 64
    before = pictures(count, size=side, seed=5) * 0.2
    after = before.clone()
    after[:, 0, 16:48, 20:56] = 1.0  # red, in all of them
    after[:3, 1, 50:60, 4:14] = 1.0  # green, in three
    patch = generalised(after, before, 24)
    assert patch.shape == (4, 24, 24)
    solid = patch[3] > 0.9
    assert float(patch[0][solid].mean()) > 0.7
    assert float(patch[1][solid].mean()) < 0.25, "nothing of what three of ten had"
    assert 0.4 < float(solid.float().mean()) <= 1.0
    assert AGREE == 0.8
    # where no pixel is in so many scenes, those that are in the most
    apart = before.clone()
    for row in range(count):
        apart[row, :, 4 * row : 4 * row + 14, 20:34] += 0.6
    assert float(generalised(apart, before, 24)[3].max()) > 0.9


@pytest.mark.parametrize("name", sorted(OFF))
def test_each_regulariser_is_live_and_can_be_switched_off(name: str) -> None:
    about = task()
    drawn, made = inserted(about), about.assets["scenes"]
    with torch.no_grad():
        drawn.parameters[0].normal_(generator=torch.Generator().manual_seed(1))

    def slope(**weights: float) -> tuple[Tensor, Tensor]:
        want = Want(about, Wants(**OFF | weights, best=2), drawn, made, about.assets["disguise"])
        drawn.parameters[0].grad = None
        for each in drawn._generators:
            each.manual_seed(3)
        value = want(drawn.pictures())
        if value.requires_grad:
            value.sum().backward()  # type: ignore[no-untyped-call]
        grad = drawn.parameters[0].grad
        return value.detach(), torch.zeros(1) if grad is None else grad.clone()

    none, flat = slope()
    value, steep = slope(**{name: 1.0})
    assert float(none.abs().max()) == float(flat.abs().max()) == 0.0
    assert float(value.abs().min()) > 0
    assert float(steep.abs().max()) > 0, "the released code has none for the norm and the entropy"
    twice, steeper = slope(**{name: 2.0})
    torch.testing.assert_close(twice, 2 * value)
    torch.testing.assert_close(steeper, 2 * steep, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["near", "sure"])
def test_what_has_no_effect_in_the_released_code_has_none_where_it_is_followed(name: str) -> None:
    def made(**settings: Any) -> Tensor:
        tool = RflaRegion(shown="scene", layer=LAYER, steps=6, **OFF | settings)
        order: dict[str, Any] = {"n": 2, "keep": 2, "budget": 400, "assets": task().assets}
        return tool(network(), *brief(1, pictures(8, size=SIDE)), **order).pictures

    plain, ours, theirs = made(), made(**{name: 50.0}), made(**{name: 50.0, "faithful": True})
    assert torch.equal(theirs, plain)
    assert not torch.equal(ours, plain)


def test_scenes_are_led_to_the_target() -> None:
    order: dict[str, Any] = {"n": 3, "keep": 3, "assets": task().assets, "seed": 2}
    given = brief(1, pictures(8, size=SIDE))
    short, long = (
        RflaRegion(shown="scene", layer=LAYER, share=0.4, learning_rate=0.3, steps=steps, screenings=1, **OFF)(
            network(), *given, budget=6 * steps + 9, **order
        )
        for steps in (1, 60)
    )
    first, last = (np.mean([finding.loss for finding in found.findings]) for found in (short, long))
    assert last < 0.7 * first
    assert {finding.insertion.kind for finding in long.findings} == {"frame"}


@pytest.mark.parametrize("change", ["square", "channels"])
def test_each_finding_is_cut_from_scenes_with_its_own_change_at_its_own_place(change: str) -> None:
    about = task(n=3)
    made = about.assets["scenes"]
    made.placing = tuple(LATENT_OF["place"])
    drawn = inserted(about, change, 0.3)
    with torch.no_grad():
        drawn.parameters[0].normal_(generator=torch.Generator().manual_seed(1))
        found = RflaRegion(layer=LAYER, cut=4, side=7, change=change, **OFF)._patches(about, drawn, made)
        after, before = [], []
        for number in range(4):  # a scene of every finding at a time
            latents = drawn.scenes([seeded(5, "cut", i, number) for i in range(3)])
            before.append(made.draw(latents))
            after.append(made.draw(latents, drawn.change()))
    for i in range(3):
        wanted = generalised(torch.stack([a[i] for a in after]), torch.stack([b[i] for b in before]), 7)
        torch.testing.assert_close(found[i], wanted, atol=1e-4, rtol=0)
    assert not torch.allclose(found[0], found[1], atol=1e-2)


def test_the_patch_of_a_finding_is_cut_from_scenes_that_no_step_was_made_on() -> None:
    about = task()
    tool = RflaRegion(layer=LAYER, cut=4, steps=5, side=7, **OFF)
    found = tool(network(), *brief(1, pictures(8, size=SIDE)), n=2, keep=2, budget=300, seed=5, assets=about.assets)
    assert found.pictures.shape == (2, 4, 7, 7)
    assert {(f.insertion.kind, f.insertion.side) for f in found.findings} == {("patch", 7)}
    drawn, made = inserted(replace(about, n=2), share=1 / 8), about.assets["scenes"]
    before, after = [], []
    with torch.no_grad():
        for number in range(4):
            latents = drawn.scenes([seeded(5, "cut", i, number) for i in range(2)])
            before.append(made.draw(latents))
            after.append(
                made.draw(latents, Change(layer=LAYER, values=drawn.parameters[0], corners=drawn.change().corners))
            )
        untouched = torch.stack(
            [generalised(torch.stack([a[i] for a in after]), torch.stack([b[i] for b in before]), 7) for i in range(2)]
        )
    assert not torch.allclose(found.pictures, untouched, atol=1e-2), "what was learnt is in it"
