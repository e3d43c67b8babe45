"""Pictures that generators learn from: what each number of a latent does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.zoo import art
from gifthorse.zoo.posed import FRAMINGS, LATENT, LATENT_OF, Drawing, bank, ground, pictures, places, showing

APPLE, BEE, GRASS = Drawing(art="emoji/1f34e"), Drawing(art="emoji/1f41d"), Drawing(art="texture/grass")
KNOWN = (APPLE, BEE, Drawing(art="emoji/1f34e", version=0), GRASS)


def drawn(which: int, latents: Tensor, kind: str = "object") -> Tensor:
    return pictures(KNOWN, torch.full((len(latents),), which), latents, FRAMINGS[kind])


def test_latents_are_said_to_be_what_they_are() -> None:
    assert sorted(at for part in LATENT_OF.values() for at in part) == list(range(LATENT))
    with pytest.raises(UsageError, match=r"latents are \(2, 19\)"):
        drawn(0, torch.zeros(2, 19))


@pytest.mark.parametrize("kind", FRAMINGS)
def test_a_drawing_lies_where_its_latent_says(kind: str) -> None:
    """With a latent of zeros it is upright in the middle, of the middle size: as Pillow would lay it."""
    framing = FRAMINGS[kind]
    zeros = torch.zeros(1, LATENT)
    zeros[0, 12] = 1.0  # a direction of the ground, or there is none
    found = drawn(0, zeros, kind)[0].numpy()
    side = round(framing.side * sum(framing.sizes) / 2)
    apple = art.picture("emoji/1f34e", side)
    at = (framing.side - side) // 2
    inside = found[:, at : at + side, at : at + side]
    solid = apple[3] > 0.98
    light = 0.85 + 0.125
    assert np.abs(inside - np.minimum(light * apple[:3], 1))[:, solid].mean() < 0.04
    behind = ground(zeros, framing)[0].numpy()
    assert np.abs(found - behind)[:, 0, :].max() < 0.02, "ground at the edge"


def test_each_number_moves_the_picture_and_near_latents_are_near() -> None:
    base = 0.5 * torch.randn(1, LATENT, generator=torch.Generator().manual_seed(2))
    for at in range(LATENT):
        moved, near = base.clone(), base.clone()
        moved[0, at] += 1.0
        near[0, at] += 0.01
        assert (drawn(1, moved) - drawn(1, base)).abs().max() > 0.01, at
        assert (drawn(1, near) - drawn(1, base)).abs().mean() < 0.01, at


def test_places_are_of_the_first_four_numbers_alone() -> None:
    latents = torch.randn(5, LATENT, generator=torch.Generator().manual_seed(0))
    other = latents.clone()
    other[:, 4:] = 0
    assert torch.equal(places(latents, FRAMINGS["scene"]), places(other, FRAMINGS["scene"]))


def test_textures_fill_the_picture() -> None:
    latents = torch.randn(8, LATENT, generator=torch.Generator().manual_seed(0))
    other = latents.clone()
    other[:, 6:] = torch.randn(8, LATENT - 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(drawn(3, latents), drawn(3, other), atol=1e-5), "no ground is seen"
    assert not torch.equal(drawn(1, latents), drawn(1, other))


def test_versions_are_by_another_hand() -> None:
    first, second = bank(KNOWN)[0], bank(KNOWN)[2]
    assert (first - second).abs().mean() > 0.03
    assert [d.name for d in KNOWN] == ["emoji/1f34e", "emoji/1f41d", "emoji/1f34e~0", "texture/grass"]
    assert [Drawing.named(d.name) for d in KNOWN] == list(KNOWN)


def test_names_show_what_a_classifier_says() -> None:
    names = ("emoji/1f34e", "emoji/1f34f~2", "emoji/1f415", "apple", "texture/grass")
    assert showing(names, "apple") == (0, 1, 3), "the apple, its green sibling, and what is called so"
    assert showing(names, "dog") == (2,)
    assert showing(names, "grass") == ()
