"""Parts of a batch that are computed again: the same numbers, the same gradients, never more at once."""

from __future__ import annotations

import functools

import pytest
import torch
from fixtures_generator import disguise, generator, network
from fixtures_nets import one_thread, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gifthorse.errors import InputError
from gifthorse.recomputing import activations, in_parts, watched
from gifthorse.tools.synthesis.base import Clean, Task
from gifthorse.tools.synthesis.generated import Look, Looks
from gifthorse.tools.synthesis.parameterisation import Cppn, Layers
from gifthorse.tools.synthesis.transformations import ColourJitter, Noise, Warp
from gifthorse.zoo.generator import Change

__all__ = ["one_thread"]


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 10))
def test_parts_are_no_larger_than_asked_and_give_the_same_values_and_gradients(rows: int, at_once: int) -> None:
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(rows)).requires_grad_()
    weight = torch.randn(3, 2, generator=torch.Generator().manual_seed(at_once)).requires_grad_()
    seen: list[int] = []

    def function(part: slice) -> Tensor:
        seen.append(len(x[part]))
        return torch.tanh(x[part] @ weight)

    out = in_parts(function, rows, at_once)
    whole = torch.tanh(x @ weight)
    torch.testing.assert_close(out, whole)
    found, wanted = (torch.autograd.grad(each.square().sum(), (x, weight)) for each in (out, whole))
    torch.testing.assert_close(found, wanted)
    assert max(seen) <= at_once
    parts = -(-rows // at_once)
    assert len(seen) == (1 if parts == 1 else 2 * parts)


def test_without_gradients_nothing_is_computed_twice() -> None:
    seen: list[slice] = []

    def function(part: slice) -> Tensor:
        seen.append(part)
        return torch.ones(part.stop - part.start)

    with torch.no_grad():
        assert in_parts(function, 5, 2).tolist() == [1.0] * 5
    assert [(part.start, part.stop) for part in seen] == [(0, 2), (2, 4), (4, 5)]


def test_a_generator_with_little_memory_draws_the_same_with_the_same_gradients() -> None:
    wide, narrow = generator(), generator()
    narrow.memory = 1
    assert narrow.at_once == 1 < wide.at_once
    latents = wide.mixed([torch.Generator().manual_seed(k) for k in range(3)])
    shape = wide.shape(wide.insertion)
    for corners, side in ((None, shape[1]), (((0, 0), (1, 0), (0, 1)), 2)):
        values = torch.randn(3, shape[0], side, side, generator=torch.Generator().manual_seed(7)).requires_grad_()
        change = Change(layer=wide.insertion, values=values, corners=corners)
        drawn = [each.draw(latents, change) for each in (wide, narrow)]
        torch.testing.assert_close(*drawn)
        scored = [each.realness(made) for each, made in zip((wide, narrow), drawn, strict=True)]
        torch.testing.assert_close(*scored)
        other = pictures(3, size=16)
        apart = [each.difference(made, other) for each, made in zip((wide, narrow), drawn, strict=True)]
        torch.testing.assert_close(*apart)
        total = [a.sum() + b.square().sum() + c.sum() for a, b, c in zip(drawn, scored, apart, strict=True)]
        torch.testing.assert_close(*(torch.autograd.grad(each, values)[0] for each in total))
    torch.testing.assert_close(*(each.watched(latents, wide.insertion) for each in (wide, narrow)))


def test_a_layer_is_seen_once_for_each_latent_from_the_first_time_on() -> None:
    made = generator()
    latents = made.mixed([torch.Generator().manual_seed(k) for k in range(3)])
    assert len(made.watched(latents, made.insertion)[1]) == 3


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_a_change_is_of_as_many_latents_or_of_one(memory: int) -> None:
    made = generator()
    made.memory = memory
    latents = made.mixed([torch.Generator().manual_seed(k) for k in range(3)])
    shape = made.shape(made.insertion)
    one = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    same = [made.draw(latents, Change(layer=made.insertion, values=values)) for values in (one, one.repeat(3, 1, 1, 1))]
    torch.testing.assert_close(*same)
    square = one[:, :, :2, :2]
    corners = ((0, 0), (1, 0), (0, 1))
    told = [
        made.draw(latents, Change(layer=made.insertion, values=values, corners=corners))
        for values in (square, square.repeat(3, 1, 1, 1))
    ]
    torch.testing.assert_close(*told)
    channels = Change(layer=made.insertion, values=one.repeat(3, 1, 1, 1)[:, :2], channels=(1, 3))
    torch.testing.assert_close(made.draw(latents, channels), generator().draw(latents, channels))
    for count in (2, 5):
        with pytest.raises(InputError, match=f"of {count} latents, and 3 are drawn"):
            made.draw(latents, Change(layer=made.insertion, values=one.repeat(count, 1, 1, 1)))
    with pytest.raises(InputError, match="and 3 are drawn"):
        made.draw(latents, Change(layer=made.insertion, values=square.repeat(3, 1, 1, 1), corners=corners[:2]))


def test_looks_are_the_same_in_parts_though_the_pictures_are_shaken() -> None:
    weights = Looks(variation=0.0, real=0.0, sure=1.0, unlike=1.0, quantile=0.5, shown=3)
    shaken = (ColourJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1), Noise(sigma=0.1),
              Warp(shift=0.1, scale=0.1, degrees=10.0))  # fmt: skip
    clean = Clean(fit=pictures(4, size=16), screen=pictures(4, size=16))
    found = []
    for memory in (1 << 30, 1):
        told = disguise()
        for each in told.classifiers:
            each.memory = memory
        task = Task(classifier=network(), target=1, sources=None, clean=clean, n=4, budget=100, seed=5)
        look, shown = Look(task, weights, shaken, generator(), told), pictures(4, channels=4, size=16).requires_grad_()
        found += [(look(shown).detach(), torch.autograd.grad(look(shown).sum(), shown)[0])]
    torch.testing.assert_close(*found)


def test_a_disguise_with_little_memory_says_the_same() -> None:
    wide, narrow = disguise(), disguise()
    for each in narrow.classifiers:
        each.memory = 1
    assert narrow.at_once == 1
    grey = torch.full((1, 3, 16, 16), 0.5)
    held = sum(activations(one.module, functools.partial(one, grey)) for one in wide.classifiers)
    assert wide.at_once == (2 << 30) // (4 * held)
    shown = pictures(3, size=16).requires_grad_()
    told = [each.log_probabilities(shown) for each in (wide, narrow)]
    torch.testing.assert_close(*told)
    torch.testing.assert_close(*(torch.autograd.grad(each[:, 1].sum(), shown)[0] for each in told))


@pytest.mark.parametrize("memory", [1, 200_000])
def test_a_cppn_with_little_memory_draws_the_same(memory: int) -> None:
    seeds = [torch.Generator().manual_seed(k) for k in range(5)]
    wide = Cppn(12, seeds, "cpu", Layers(3, 6, 1.0))
    narrow = Cppn(12, [torch.Generator().manual_seed(k) for k in range(5)], "cpu", Layers(3, 6, 1.0), memory)
    drawn = [each.pictures() for each in (wide, narrow)]
    assert torch.equal(*drawn)
    both = zip(drawn, (wide, narrow), strict=True)
    torch.testing.assert_close(*(torch.autograd.grad(made.square().sum(), each.parameters) for made, each in both))


def test_what_the_innermost_modules_put_out_is_counted() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))
    image = torch.rand(1, 3, 8, 8)
    out, ran = watched(net, lambda: net(image))
    assert out.shape == (1, 4, 4, 4)
    assert [(type(module).__name__, size) for module, size in ran] == [
        ("Conv2d", 4 * 4 * 64), ("ReLU", 4 * 4 * 64), ("MaxPool2d", 4 * 4 * 16)
    ]  # fmt: skip
    assert activations(net, lambda: net(image)) == 4 * (256 + 256 + 64)
