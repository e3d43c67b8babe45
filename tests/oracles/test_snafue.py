"""SNAFUE once more, slowly, from thesis 5.2.1: weights, similarities, what is left out, and the search as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_generator import disguise, generator
from fixtures_nets import one_thread, pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal, UsageError
from gifthorse.images import to_uint8
from gifthorse.neighbours import Nearest
from gifthorse.tools.synthesis import natural, snafue
from gifthorse.tools.synthesis.base import brief
from gifthorse.tools.synthesis.natural import SMALL, ranked, weighted
from gifthorse.tools.synthesis.snafue import Snafue
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.patch_pool import MadePatches

__all__ = ["one_thread"]

SIZE = 16


def test_the_weights_by_hand() -> None:
    rng = np.random.default_rng(0)
    looks, gains = rng.random((5, 7)) * np.array([1, 1, 1, 0.01, 4, 1, 0]), torch.rand(5)
    looks[1:, 2] = 0.0  # varies more than its mean
    asked, scales = weighted(looks, gains, faithful=False)
    w = np.zeros(7)
    for j in range(7):
        mean = sum(looks[i, j] for i in range(5)) / 5
        spread = (sum((looks[i, j] - mean) ** 2 for i in range(5)) / 4) ** 0.5 / (mean + SMALL)
        w[j] = 0.0 if spread > 1 else 1 - spread
    assert w[2] == 0
    delta = gains.double().numpy()
    h = (delta - delta.min()) / (delta.max() - delta.min())
    alive = [i for i in range(5) if h[i] > 0]
    assert len(alive) == 4, "the least successful one counts for nothing"
    np.testing.assert_allclose(asked, looks[alive] * w, rtol=1e-12)
    np.testing.assert_allclose(scales, h[alive], rtol=1e-12)
    published, none = weighted(looks, gains, faithful=True)
    np.testing.assert_allclose(published, looks * w, rtol=1e-12)
    assert (none == 1).all(), "the thesis's weights scale rows, which cosine similarity does not see"


def test_where_all_do_as_well_or_nothing_is_common_all_count() -> None:
    looks = np.eye(3)
    asked, scales = weighted(looks, torch.ones(3), faithful=False)
    np.testing.assert_array_equal(asked, looks)
    assert (scales == 1).all()


def test_a_patch_ranks_by_its_highest_weighted_similarity() -> None:
    found = Nearest(ids=(("a", "b", "c"), ("d", "b", "a")), similarities=((0.9, 0.8, 0.1), (0.95, 0.94, 0.1)))
    assert ranked(found, np.array([0.5, 1.0])) == ["d", "b", "a", "c"]
    assert ranked(found, np.array([1.0, 0.5])) == ["a", "b", "d", "c"]


class Hues(nn.Module):
    """Its features are how much of each of six colours an image has; class 0 asks for the first, class 2 for the
    second, class 1 for the others."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hues", HUES)
        self.fc = nn.Linear(6, 3, bias=False)
        self.fc.weight.data = torch.tensor([[9.0, 0, 0, 0, 0, 0], [0, 0, 3, 3, 3, 3], [0, 8, 0, 0, 0, 0]])

    def forward(self, x: Tensor) -> Tensor:
        distance = (x[:, None] - self.get_buffer("hues")[None, :, :, None, None]).square().sum(2)
        out: Tensor = self.fc(torch.exp(-8 * distance).mean((2, 3)) * 6)
        return out


HUES = torch.tensor([[1.0, 0, 0], [1, 0.5, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]])


def network() -> Classifier:
    return Classifier(Hues(), classes=("ant", "bee", "cat"), size=SIZE, device="cpu", precision="float32")


def pool(root: Path, net: Classifier, hues: Tensor) -> Candidates:
    """Patches of one colour each, a little noisy."""
    noise = torch.rand(len(hues), 3, 8, 8, generator=torch.Generator().manual_seed(0))
    made = to_uint8((hues[:, :, None, None] + 0.06 * (noise - 0.5)).clamp(0, 1))
    ids = [f"{k:03}" for k in range(len(hues))]
    found = Candidates(MadePatches(name="hues", count=len(ids), make=lambda _: (ids, made), pixels=8), root)
    found.embed(net)
    return found


def search(net: Classifier, candidates: Candidates, **settings: Any) -> Any:
    told: dict[str, Any] = {"attack": "adversarial_patch@screen=2@screenings=1", "synthetic": 3, "screen": 4}
    tool = Snafue(**told | settings)
    grey = pictures(16, size=SIZE) * 0.2 + 0.4
    assets = {"pool": candidates, "generator": generator(), "disguise": disguise()}
    return tool(net, *brief(2, grey), n=3, keep=3, budget=1_500, assets=assets, seed=1)


def test_the_natural_patches_of_the_target_s_colour_are_found(tmp_path: Path) -> None:
    """Class 2 asks for orange: patches of orange say so by themselves, so those are out, and the reddish ones stay."""
    net = network()
    hues = torch.cat([HUES.repeat(8, 1), torch.tensor([[1.0, 0.25, 0.0]]).repeat(6, 1)])
    alone = net.predict(hues[:, :, None, None].expand(-1, -1, SIZE, SIZE)).argmax(1)
    assert alone[1] == 2, "orange is the target's"
    assert alone[-1] != 2, "reddish orange is not"
    found = search(net, pool(tmp_path, net, hues))
    middle = found.pictures[list(found.kept), :3, 4, 4]
    wanted = torch.tensor([1.0, 0.25, 0.0])
    assert (middle - wanted).abs().max() < 0.1
    losses = [finding.loss for finding in found.findings]
    assert losses == sorted(losses), "the best first"
    assert all(-1 <= loss <= 0 for loss in losses), "minus a probability"
    assert {f.insertion.kind for f in found.findings} == {"patch"}


def test_a_pool_that_only_shows_the_target_is_refused(tmp_path: Path) -> None:
    net = network()
    with pytest.raises(Refusal, match="0 of 9 natural patches do not show the target"):
        search(net, pool(tmp_path, net, HUES[1:2].repeat(9, 1)))


def test_patches_that_show_the_target_take_no_other_s_place(tmp_path: Path) -> None:
    """Those nearest are out by themselves; what is tried out are the next ones, as many as the budget pays for."""
    net, tried = network(), list[int]()
    plain = natural.gains

    def gains(task: Any, shown: Tensor, *rest: Any) -> Tensor:
        tried.append(len(shown))
        return plain(task, shown, *rest)

    hues = torch.cat([HUES[1:2].repeat(9, 1), torch.tensor([[1.0, 0.25, 0.0]]).repeat(9, 1), HUES[3:].repeat(9, 1)])
    with pytest.MonkeyPatch.context() as patch:
        for module in (natural, snafue):
            patch.setattr(module, "gains", gains)
        search(net, pool(tmp_path, net, hues), screened=9)
    assert tried == [3, 9]


@pytest.mark.parametrize("attack", ["saliency", "truth", "rfla_region", "snafue"])
def test_what_makes_no_synthetic_patches_is_refused_by_name(attack: str) -> None:
    with pytest.raises(UsageError, match=f"{attack} makes no synthetic patches"):
        Snafue(attack=attack)


def test_screening_uses_images_that_nothing_was_made_on_unless_it_follows_the_thesis(tmp_path: Path) -> None:
    net, seen = network(), []
    candidates = pool(tmp_path, net, HUES.repeat(8, 1))
    plain = natural.gains

    def gains(task: Any, *rest: Any) -> Tensor:
        seen.append(torch.equal(task.clean.screen, task.clean.fit))
        return plain(task, *rest)

    with pytest.MonkeyPatch.context() as patch:
        for module in (natural, snafue):
            patch.setattr(module, "gains", gains)
        search(net, candidates)
        search(net, candidates, faithful=True)
    assert seen == [False, False, True, True]
