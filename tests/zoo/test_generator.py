"""Generators: latents, and changes of what a layer puts out."""

from __future__ import annotations

import pytest
import torch
from fixtures_generator import NAMES, generator
from torch import Tensor

from gifthorse.errors import InputError, UsageError
from gifthorse.zoo.generator import Change, Latents

LAYER = "drawing.blocks.0"


def seeds(n: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(k) for k in range(n)]


def by_hand(latents: Latents, alter: object) -> Tensor:
    """The picture with the layer's output altered by a wrapper around its own forward, and not by a hook."""
    made = generator()
    layer = made.module.get_submodule(LAYER)
    plain = layer.forward
    layer.forward = lambda *inputs: alter(plain(*inputs))  # type: ignore[operator]
    return made.draw(latents)


def test_pictures_are_of_latents_and_classes() -> None:
    made = generator()
    latents = made.of_class(seeds(4))
    drawn = made.draw(latents)
    assert drawn.shape == (4, 3, 16, 16)
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    other = Latents(noise=latents.noise, classes=latents.classes.roll(1, 1))
    assert (made.draw(other) - drawn).abs().amax((1, 2, 3)).min() > 1e-3
    moved = Latents(noise=latents.noise + 0.5, classes=latents.classes)
    assert (made.draw(moved) - drawn).abs().amax((1, 2, 3)).min() > 1e-3
    torch.testing.assert_close(made.draw(latents[1:3]), drawn[1:3], atol=1e-2, rtol=0)


def test_values_are_added() -> None:
    made, latents = generator(), generator().of_class(seeds(2))
    values = torch.randn(2, *made.shape(LAYER), generator=torch.Generator().manual_seed(3))
    found = made.draw(latents, Change(layer=LAYER, values=values))
    torch.testing.assert_close(found, by_hand(latents, lambda out: out + values))
    assert not torch.equal(found, made.draw(latents))


def test_a_square_is_replaced() -> None:
    made, latents = generator(), generator().of_class(seeds(2))
    values = torch.randn(2, made.shape(LAYER)[0], 3, 3, generator=torch.Generator().manual_seed(3))

    def alter(out: Tensor) -> Tensor:
        out = out.clone()
        out[0, :, 4:7, 1:4], out[1, :, 2:5, 5:8] = values
        return out

    torch.testing.assert_close(
        made.draw(latents, Change(layer=LAYER, values=values, corners=((4, 1), (2, 5)))), by_hand(latents, alter)
    )


def test_channels_are_replaced() -> None:
    made, latents = generator(), generator().of_class(seeds(2))
    _, height, width = made.shape(LAYER)
    values = torch.randn(2, 2, height, width, generator=torch.Generator().manual_seed(3))

    def alter(out: Tensor) -> Tensor:
        out = out.clone()
        out[:, [7, 2]] = values
        return out

    torch.testing.assert_close(
        made.draw(latents, Change(layer=LAYER, values=values, channels=(7, 2))), by_hand(latents, alter)
    )


def test_no_hook_stays_and_wrong_changes_are_named() -> None:
    made, latents = generator(), generator().of_class(seeds(2))
    before = made.draw(latents)
    with pytest.raises(InputError, match=r"the change of drawing.blocks.0 is \(2, 3, 3, 3\)"):
        made.draw(latents, Change(layer=LAYER, values=torch.zeros(2, 3, 3, 3)))
    with pytest.raises(UsageError, match=r"no layer 'drawing\.block\.0'"):
        made.draw(latents, Change(layer="drawing.block.0", values=torch.zeros(1)))
    with pytest.raises(UsageError, match=r"no layer 'drawing\.first' with feature maps"):
        made.shape("drawing.first")
    assert not any(len(module._forward_hooks) for module in made.module.modules())
    assert torch.equal(made.draw(latents), before)


def test_latents_are_of_one_class_or_of_all_but_some() -> None:
    made = generator()
    latents = made.of_class(seeds(40), which={1, 4}, truncation=0.4)
    assert set(latents.classes.argmax(1).tolist()) == {1, 4}
    assert (latents.classes.sum(1) == 1).all()
    assert 0.5 < float(latents.noise.abs().max()) <= 0.8
    again = made.of_class(seeds(3), which={1, 4}, truncation=0.4)
    assert torch.equal(again.noise, latents.noise[:3]), "row k is of generator k alone"
    mixed = made.mixed(seeds(2), without=(2, 3))
    assert mixed.classes.tolist()[0] == pytest.approx([0.25, 0.25, 0, 0, 0.25, 0.25])
    with pytest.raises(UsageError, match="no class of tiny is left"):
        made.of_class(seeds(1), which=())


def test_a_thawed_copy_can_be_trained_and_the_generator_stays() -> None:
    made, latents = generator(), generator().of_class(seeds(2))
    before = made.draw(latents)
    copy = made.thawed()
    made.draw(latents, module=copy).mean().backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in copy.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.1 * parameter.grad.sign())
    assert torch.equal(made.draw(latents), before)
    assert not torch.equal(made.draw(latents, module=copy), before)
    assert not any(parameter.requires_grad for parameter in made.module.parameters())


def test_what_shows_a_class_is_found_by_code_point() -> None:
    made = generator()
    assert made.showing("bee") == (2,)
    assert made.showing("dog") == (5,)
    assert made.showing("apple") == (0, 1), "the drawing and another hand's"
    assert made.showing("wolf") == ()


def test_the_discriminator_says_how_real_a_picture_is_as_each_class() -> None:
    made = generator()
    shown = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    every = made.realness(shown)
    assert every.shape == (3, len(NAMES))
    for index in range(len(NAMES)):
        torch.testing.assert_close(every[:, index], made.discriminator(shown, torch.full((3,), index)))
    assert made.realness(torch.nn.functional.interpolate(shown, 40)).shape == every.shape, "of any size"
