from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from fixtures_nets import pictures
from torch import Tensor

from gifthorse.images import opaque, over
from gifthorse.randomness import Purposes, generator
from gifthorse.records import Insertion
from gifthorse.tools.synthesis.draws import Draws
from gifthorse.tools.synthesis.transformations import ColourJitter, Mirror, Noise, Transformation, Warp, layered

JITTER = ColourJitter(brightness=0.25, contrast=0.25, saturation=0.25, hue=0.05)
WARP = Warp(shift=0.1, scale=0.1, degrees=10)


class Fixed(Draws):
    """Draws whose uniform numbers are given."""

    def __init__(self, numbers: tuple[float, ...], rows: int) -> None:
        super().__init__([(Purposes(torch.Generator()), rows)], "cpu")
        self._numbers, self._count = numbers, rows

    def uniform(self, purpose: str, columns: int) -> Tensor:
        assert columns == len(self._numbers)
        return torch.tensor([self._numbers]).expand(self._count, -1)


def fixed(*numbers: float, rows: int = 1) -> Fixed:
    """Numbers from -1 to 1, as a transformation sees them."""
    return Fixed(tuple((x + 1) / 2 for x in numbers), rows)


def own(rows: int, seed: int = 0) -> Draws:
    return Draws([(Purposes(generator(seed, i)), 1) for i in range(rows)], "cpu")


def test_a_warp_of_nothing_is_the_picture() -> None:
    shown = pictures(3, channels=4)
    torch.testing.assert_close(Warp(shift=0, scale=0, degrees=0)(shown, own(3)), shown, atol=1e-5, rtol=0)


def test_a_shift_moves_whole_pixels_and_leaves_nothing_behind() -> None:
    shown = opaque(pictures(1, size=8))
    moved = Warp(shift=0.25, scale=0, degrees=0)(shown, fixed(0, 0, 1, 0))  # 2 of 8 pixels to the right
    torch.testing.assert_close(moved[..., 2:], shown[..., :-2], atol=1e-5, rtol=0)
    assert moved[:, 3, :, :2].abs().max() < 1e-5
    down = Warp(shift=0.25, scale=0, degrees=0)(shown, fixed(0, 0, 0, 1))
    torch.testing.assert_close(down[:, :, 2:], shown[:, :, :-2], atol=1e-5, rtol=0)


def test_a_quarter_turn_is_rot90() -> None:
    shown = opaque(pictures(1, size=8))
    turned = Warp(shift=0, scale=0, degrees=90)(shown, fixed(1, 0, 0, 0))
    torch.testing.assert_close(turned, torch.rot90(shown, -1, (2, 3)), atol=1e-4, rtol=0)


def test_a_scale_enlarges_about_the_middle() -> None:
    shown = torch.zeros(1, 4, 8, 8)
    shown[:, :, 3:5, 3:5] = 1.0
    large = Warp(shift=0, scale=1.0, degrees=0)(shown, fixed(0, 1, 0, 0))  # twice as large
    assert float(large[0, 3].sum()) == pytest.approx(16, rel=0.05)
    assert large[0, 3, 2:6, 2:6].min() > 0.5
    small = Warp(shift=0, scale=0.5, degrees=0)(opaque(pictures(1, size=8)), fixed(0, -1, 0, 0))
    assert float(small[0, 3].sum()) == pytest.approx(16, rel=0.05)


def test_a_shift_is_the_same_whatever_the_turn_and_scale() -> None:
    dot = torch.zeros(1, 4, 33, 33)
    dot[:, :, 16, 16] = 1.0
    moved = Warp(shift=8 / 33, scale=0.5, degrees=45)(dot, fixed(1, 1, 1, -1))[0, 3]
    where = torch.stack(torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij"))
    centre = (where * moved).sum((1, 2)) / moved.sum()
    torch.testing.assert_close(centre, torch.tensor([8.0, 24.0]), atol=0.1, rtol=0)


def test_a_warp_draws_at_another_size_and_each_row_its_own() -> None:
    shown = opaque(pictures(1)).expand(3, -1, -1, -1)
    views = Warp(shift=0.1, scale=0.2, degrees=20, size=40)(shown, own(3))
    assert views.shape == (3, 4, 40, 40)
    assert not torch.allclose(views[0], views[1], atol=0.05)


def test_transformations_pass_gradients() -> None:
    shown = opaque(pictures(2)).requires_grad_()
    jitter = ColourJitter(brightness=0.25, contrast=0.25, saturation=0.25, hue=0.05)
    for transformation in (Warp(shift=0.1, scale=0.1, degrees=10), jitter, Noise(sigma=0.1)):
        (gradient,) = torch.autograd.grad(transformation(shown, own(2))[:, :3].sum(), shown)
        assert gradient[:, :3].abs().mean() > 0.1


def test_colour_jitter_has_its_strength() -> None:
    shown = torch.full((1, 4, 2, 2), 0.4)
    still = {"contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    brighter = ColourJitter(brightness=0.25, **still)(shown, fixed(1, 0, 0, 0))
    torch.testing.assert_close(brighter[:, :3], torch.full((1, 3, 2, 2), 0.5))
    assert torch.equal(brighter[:, 3:], shown[:, 3:])


def test_noise_has_its_deviation_and_leaves_alpha() -> None:
    noisy = Noise(sigma=0.1)(torch.full((4, 4, 32, 32), 0.5), own(4))
    assert abs(float(noisy[:, :3].std()) - 0.1) < 0.005
    assert (noisy[:, 3] == 0.5).all()


def test_rows_draw_from_their_own_findings() -> None:
    def draws(*groups: tuple[int, int]) -> Draws:
        return Draws([(Purposes(generator(0, i)), n) for i, n in groups], "cpu")

    both, second = draws((0, 2), (1, 3)), draws((1, 3))
    assert torch.equal(both.uniform("a", 2)[2:], second.uniform("a", 2))
    assert torch.equal(both.normal("b", 4)[2:], second.normal("b", 4))
    assert torch.equal(both.indices("c", 1000)[2:], second.indices("c", 1000))
    patch = Insertion(kind="patch", side=3)
    first = both.places(patch, 20)
    again = second.places(patch, 20)
    assert first is not None
    assert again is not None
    assert torch.equal(first.tops[2:], again.tops)
    assert both.places(Insertion(kind="frame"), 20) is None


def test_parts_draw_what_the_whole_does_and_every_question_has_an_answer_of_its_own() -> None:
    def draws() -> Draws:
        return Draws([(Purposes(generator(0, i)), 3) for i in range(2)], "cpu")

    patch = Insertion(kind="patch", side=3)

    def corners(drawn: Draws) -> Tensor:
        where = drawn.places(patch, 60)
        assert where is not None
        return torch.stack(where, 1)

    asked: list[Callable[[Draws], Tensor]] = [
        lambda drawn: drawn.uniform("a", 2),
        lambda drawn: drawn.normal("b", 2, 3),
        lambda drawn: drawn.indices("c", 1000),
        corners,
    ]
    for ask in asked:
        whole, cut = draws(), draws()
        parts = [cut.part(start, min(start + 4, 6)) for start in (0, 4)]
        first = ask(whole)
        assert torch.equal(torch.cat([ask(part) for part in parts]), first)
        again = ask(whole)
        assert not torch.equal(again, first)
        assert torch.equal(torch.cat([ask(part) for part in reversed(parts)]), torch.cat([again[4:], again[:4]]))


def test_a_draw_more_for_one_purpose_shifts_no_other() -> None:
    few, many = own(2), own(2)
    many.normal("noise", 100)
    many.uniform("colours", 4)
    assert torch.equal(few.uniform("warp", 4), many.uniform("warp", 4))
    assert not torch.equal(own(2).uniform("warp", 4), own(2).uniform("colours", 4))


def test_generators_are_one_for_each_purpose() -> None:
    def number(*purpose: object) -> float:
        return float(torch.rand((), generator=generator(*purpose)))  # type: ignore[arg-type]

    drawn = {number(0), number(1), number(0, "a"), number(0, "b"), number(0, "a", 1), number(0, "a1")}
    assert len(drawn) == 6
    assert number(3, "x", 2) == number(3, "x", 2)
    assert math.isfinite(number(2**70))


@pytest.mark.parametrize("solid", [False, True])
@pytest.mark.parametrize("chain", [(), (JITTER,), (JITTER, Noise(sigma=0.1), WARP), (WARP, Mirror())])
def test_layers_are_what_the_transformations_make_of_pictures_one_after_another(
    chain: tuple[Transformation, ...], solid: bool
) -> None:
    """And so are their gradients; where pictures have no holes, those of their colours."""
    shown = (opaque(pictures(3)) if solid else pictures(3, channels=4)).requires_grad_()
    ground = pictures(3, seed=5)
    wanted, drawn = shown, own(3)
    for transformation in chain:
        wanted = transformation(wanted, drawn)
    found = layered(chain, shown, own(3), solid).over(ground)
    torch.testing.assert_close(found, over(wanted, ground), atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad(made.square().sum(), shown)[0] for made in (found, over(wanted, ground))]
    torch.testing.assert_close(gradients[0][:, :3], gradients[1][:, :3], atol=1e-3, rtol=1e-3)
    if not solid:
        torch.testing.assert_close(gradients[0][:, 3], gradients[1][:, 3], atol=1e-3, rtol=1e-3)
