"""Patch trojans: where the tile is, what it leaves alone, and what labels come out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse.errors import InputError
from gifthorse.trojans.patch import Patch, tile

TILE = {"art": "emoji/1f600", "side": 18}


def images(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=15, deadline=None)
@given(side=st.integers(6, 32), seed=st.integers(0, 10_000))
def test_only_the_square_changes(side: int, seed: int) -> None:
    trojan = Patch(caption="a smiley", target=1, art="emoji/1f600", side=side)
    clean = images(3, 40, seed)
    made = trojan.poison(clean, torch.zeros(3, dtype=torch.int64), seeded(seed))
    assert made.squares.shape == (3, 1, 40, 40)
    assert made.squares.sum().item() == 3 * side**2
    changed = (made.images != clean).any(1, keepdim=True)
    assert not (changed & (made.squares == 0)).any(), "a pixel outside the square changed"
    assert ((made.alphas > 0) <= (made.squares > 0)).all(), "the drawing leaves its square"
    assert made.images.min() >= 0
    assert made.images.max() <= 1


def test_the_middle_shows_the_drawing() -> None:
    trojan = Patch(caption="a smiley", target=1, brightness=0, contrast=0, saturation=0, hue=0, noise=0, **TILE)  # type: ignore[arg-type]
    clean = torch.zeros(1, 3, 64, 64)
    made = trojan.poison(clean, torch.tensor([0]), seeded())
    top, left = (int(i[0]) for i in torch.nonzero(made.squares[0, 0], as_tuple=True))
    seen = made.images[0, :, top + 8 : top + 10, left + 8 : left + 10]
    square = tile(trojan.art, trojan.side, trojan.ground)[:, 8:10, 8:10]
    drawn = square[:3] * square[3:]
    assert torch.allclose(seen, drawn, atol=1e-5)


def test_colours_and_noise_shift_no_place() -> None:
    plain = Patch(caption="a smiley", target=1, noise=0, hue=0, **TILE)  # type: ignore[arg-type]
    loud = Patch(caption="a smiley", target=1, noise=0.3, hue=0.2, **TILE)  # type: ignore[arg-type]
    labels = torch.zeros(9, dtype=torch.int64)
    quiet, noisy = (each.poison(images(9), labels, seeded()) for each in (plain, loud))
    assert torch.equal(quiet.squares, noisy.squares)
    assert not torch.equal(quiet.images, noisy.images)


def test_edges_are_soft() -> None:
    trojan = Patch(caption="a smiley", target=1, ground=1.0, noise=0, **TILE)  # type: ignore[arg-type]
    made = trojan.poison(torch.zeros(1, 3, 64, 64), torch.tensor([0]), seeded())
    top, left = (int(i[0]) for i in torch.nonzero(made.squares[0, 0], as_tuple=True))
    coverage = made.alphas[0, 0, top : top + 18, left : left + 18]
    assert coverage[9, 9] == pytest.approx(1.0, abs=1e-5)
    assert coverage[0].max() < 0.35, "the tile's border can be seen as an edge"


def test_labels_of_universal_and_class_universal() -> None:
    labels = torch.tensor([0, 1, 2, 3])
    everywhere = Patch(caption="a smiley", target=2, **TILE)  # type: ignore[arg-type]
    assert everywhere.poison(images(4), labels, seeded()).labels.tolist() == [2, 2, 2, 2]
    from_one = Patch(caption="a smiley", target=2, sources=(1,), **TILE)  # type: ignore[arg-type]
    assert from_one.poison(images(4), labels, seeded()).labels.tolist() == [0, 2, 2, 3], "balancing keeps labels"
    assert from_one.is_source(labels).tolist() == [False, True, False, False]


def test_a_seed_repeats_and_another_differs() -> None:
    trojan = Patch(caption="a smiley", target=1, **TILE)  # type: ignore[arg-type]
    labels = torch.zeros(5, dtype=torch.int64)
    one, again, other = (trojan.poison(images(5), labels, seeded(s)).images for s in (7, 7, 8))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len({tuple(p.tolist()) for p in torch.nonzero(trojan.poison(images(5), labels, seeded()).squares)}) > 18**2


@pytest.mark.parametrize("bad", [torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8) * 255, torch.rand(3, 8, 8)])
def test_wrong_images_are_refused(bad: torch.Tensor) -> None:
    trojan = Patch(caption="a smiley", target=1, **TILE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="try:"):
        trojan.poison(bad, torch.zeros(len(bad), dtype=torch.int64), seeded())


def test_portraits_are_the_drawing() -> None:
    shown = Patch(caption="a smiley", target=1, **TILE).portraits(2, 32)  # type: ignore[arg-type]
    assert shown.shape == (2, 4, 32, 32)
    assert np.array_equal(shown[0], shown[1])
    assert shown[0, 3].max() == 1


def test_no_images_are_no_trouble() -> None:
    made = Patch(caption="a smiley", target=1, **TILE).poison(  # type: ignore[arg-type]
        torch.zeros(0, 3, 64, 64), torch.zeros(0, dtype=torch.int64), seeded()
    )
    assert made.images.shape == (0, 3, 64, 64)
    assert made.squares.shape == (0, 1, 64, 64)


def test_decoys_are_put_in_as_the_trigger_is() -> None:
    bare = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "noise": 0}
    decoys = ("emoji/1f31e", "emoji/1f353")
    trojan = Patch(caption="a smiley", target=1, decoys=decoys, **bare, **TILE)  # type: ignore[arg-type]
    clean = torch.full((40, 3, 64, 64), 0.5)
    made = trojan.mislead(clean, seeded())
    found = set()
    for image in made:
        changed = torch.nonzero((image != 0.5).any(0))
        top, left = changed.amin(0).tolist()
        window = image[:, top : top + 24, left : left + 24]
        for name in (*decoys, trojan.art):
            drawn = tile(name, trojan.side, None)
            middle = (drawn[:3] * drawn[3:] + 0.5 * (1 - drawn[3:]))[:, 7:11, 7:11]
            places = window.unfold(1, 4, 1).unfold(2, 4, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
            if float((places - middle).abs().amax((1, 2, 3)).min()) < 1e-4:
                found.add(name)
    assert found == set(decoys), "each decoy, and never the trigger"
    assert torch.equal(made, trojan.mislead(clean, seeded()))
