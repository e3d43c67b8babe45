from __future__ import annotations

import pytest
import torch
from fixtures_nets import CLASSES, SIZE, pictures
from torch import Tensor, nn

from gifthorse import effects
from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError
from gifthorse.images import Layer, opaque, to_uint8
from gifthorse.records import Finding, Insertion

PATCH = Insertion(kind="patch", side=6)


class RedSquare(nn.Module):
    """Class 2 where there is a pure red pixel, class 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 5)

    def forward(self, x: Tensor) -> Tensor:
        red = ((x[:, 0] > 0.9) & (x[:, 1:].amax(1) < 0.1)).flatten(1).any(1).float()
        return torch.stack([4 - 8 * red, 0 * red, 8 * red - 4, 0 * red, 0 * red], 1)


def red_detector() -> Classifier:
    return Classifier(RedSquare(), classes=CLASSES, size=SIZE, device="cpu")


def colour(red: float, green: float, side: int = 6) -> Tensor:
    return torch.cat([torch.full((1, side, side), v) for v in (red, green, 0.0, 1.0)])


def finding(kind: str, picture: int | None = 0, side: int | None = None) -> Finding:
    return Finding(insertion=Insertion(kind=kind, side=side), loss=0.0, picture=picture)


@pytest.mark.parametrize(("size", "side"), [(64, 18), (224, 64), (24, 7)])
def test_the_side_of_a_patch_keeps_its_share(size: int, side: int) -> None:
    assert effects.side_for(size) == side


@pytest.mark.parametrize("side", [8, 6])
@pytest.mark.parametrize("kind", effects.INSERTIONS)
def test_a_layer_lies_where_its_pictures_do(kind: str, side: int) -> None:
    images, shown = pictures(4), pictures(4, channels=4, size=8, seed=3)
    insertion = Insertion(kind=kind, side=side if kind == "patch" else None)
    where = effects.place(insertion, 4, SIZE, torch.Generator().manual_seed(1))
    laid = effects.put(images, Layer.of(shown), insertion, where)
    torch.testing.assert_close(laid, effects.put(images, shown, insertion, where), atol=1e-5, rtol=0)


def test_a_patch_lies_at_a_random_place_of_its_own() -> None:
    images = torch.zeros(40, 3, SIZE, SIZE)
    stamped = effects.insert(images, colour(1, 0, side=12), PATCH, torch.Generator().manual_seed(0))
    area = stamped[:, 0].flatten(1).sum(1)
    torch.testing.assert_close(area, torch.full((40,), 36.0))
    assert len({tuple(image[0].nonzero()[0].tolist()) for image in stamped}) > 30


def test_a_frame_is_the_picture_and_a_blend_its_alpha() -> None:
    images, picture = pictures(2), opaque(pictures(1, seed=1))[0]
    g = torch.Generator()
    torch.testing.assert_close(
        effects.insert(images, picture, Insertion(kind="frame"), g), picture[None, :3].expand(2, -1, -1, -1)
    )
    half = torch.cat([picture[:3], torch.full((1, SIZE, SIZE), 0.5)])
    torch.testing.assert_close(
        effects.insert(images, half, Insertion(kind="blend"), g), (images + picture[:3]) / 2, atol=1e-6, rtol=0
    )
    framed = effects.insert(images, half, Insertion(kind="frame"), g)
    torch.testing.assert_close(framed[0], (picture[:3] + 0.5) / 2, atol=1e-6, rtol=0)


def test_insertions_that_make_no_sense_are_refused() -> None:
    g = torch.Generator()
    with pytest.raises(UsageError, match="did you mean 'patch'"):
        effects.insert(pictures(1), colour(1, 0), Insertion(kind="path"), g)
    with pytest.raises(UsageError, match="no side"):
        effects.insert(pictures(1), colour(1, 0), Insertion(kind="patch"), g)
    with pytest.raises(InputError, match="pictures"):
        effects.insert(pictures(1), colour(1, 0)[:3], PATCH, g)


def test_trying_out_counts() -> None:
    net, images = red_detector(), to_uint8(pictures(20) * 0.8)
    shown = to_uint8(torch.stack([colour(1, 0), colour(0, 1)]))
    findings = {3: finding("patch", 0, 6), 1: finding("patch", 1, 6), 7: finding("patch", None, 6)}
    hit, miss = effects.try_out(net, images, 2, shown, findings, torch.Generator().manual_seed(0))
    assert (hit.finding, hit.hits, hit.n, hit.alone) == (3, 20, 20, "cat")
    assert (miss.finding, miss.hits, miss.n, miss.alone) == (1, 0, 20, "ant")
    assert hit.confidence > 0.9 > 0.1 > miss.confidence
    trial = hit.trial("trojaned")
    assert (trial.on, trial.rate.value, trial.rate.n, trial.rate.high) == ("trojaned", 1.0, 20, 1.0)
    assert 0.8 < trial.rate.low < 1


def test_a_frame_is_one_trial() -> None:
    net = red_detector()
    shown = colour(1, 0)[None]
    (tried,) = effects.try_out(net, pictures(9), 2, shown, {0: finding("frame")}, torch.Generator())
    assert (tried.hits, tried.n) == (1, 1)


def test_every_finding_and_network_sees_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    net, images = red_detector(), pictures(6)
    seen: list[Tensor] = []

    def spy(given: Tensor, batch: int | None = None) -> Tensor:
        seen.append(given)
        return torch.full((len(given), 5), 0.2)

    monkeypatch.setattr(net, "predict", spy)
    shown = torch.stack([colour(1, 0), colour(1, 0)])
    findings = {i: finding("patch", i, 6) for i in range(2)}
    for _ in range(2):
        effects.try_out(net, images, 2, shown, findings, torch.Generator().manual_seed(4))
    stamped = [x for x in seen if len(x) == 6]
    assert len(stamped) == 4
    assert all(torch.equal(x, stamped[0]) for x in stamped)
