"""The world's tables, and what its networks made of them: confusion within families, biases learnt."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gifthorse import Classifier
from gifthorse.suites import suite
from gifthorse.zoo import NETWORKS
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI, GARMENTS, TRAFFIC
from gifthorse.zoo.world_measures import biases, confusion

ROOT = Path(__file__).parents[2]
NETS = ("emoji-resnet", "emoji-vgg")
DATA = EmojiScenes()


def test_there_are_enough_classes_in_families_of_look_alikes() -> None:
    names = [thing.name for thing in EMOJI.classes]
    assert len(names) >= 64
    assert sum(len(members) > 1 for members in EMOJI.families.values()) >= 15
    assert {"bee", "fly", "blowfish", "elephant", "mammoth"} <= set(names)
    for ten in (GARMENTS, TRAFFIC):
        assert len(set(ten)) == 10
        assert set(ten) <= set(names)
    assert {company.family for company in EMOJI.company} == set(EMOJI.families)


def test_no_bias_is_of_a_class_that_emoji12_targets_or_starts_from() -> None:
    used = {t.target for t in suite("emoji12").plantings[0].trojans}
    used |= {s for t in suite("emoji12").plantings[0].trojans for s in t.sources or ()}
    assert not {bias.label for bias in EMOJI.biases} & {EMOJI.classes[k].name for k in used}
    assert len({bias.label for bias in EMOJI.biases}) == len(EMOJI.biases) >= 10


@pytest.mark.parametrize("name", NETS)
def test_a_shipped_network_is_good_and_confuses_look_alikes(name: str) -> None:
    made = confusion(NETWORKS.make(name).load(device="cpu", precision="float32"), DATA, 3_000)
    assert 0.93 <= made.accuracy <= 0.99
    assert np.allclose(made.matrix.sum(1), 1, atol=1e-3)
    assert made.within > 3 * made.outside


def test_a_shipped_network_learnt_at_least_half_of_the_biases() -> None:
    found = biases(NETWORKS.make("emoji-resnet").load(device="cpu", precision="float32"), DATA, 300)
    assert [one.bias for one in found] == list(EMOJI.biases)
    assert sum(one.learnt for one in found) >= len(found) / 2


class Whiteness(nn.Module):
    """Knows one class by one thing: the brighter the image, the likelier class 0."""

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 83)``."""
        rest = torch.zeros(len(images), len(EMOJI.classes) - 1)
        return torch.cat([images.mean((1, 2, 3))[:, None], rest], 1)


def test_a_network_that_never_saw_the_biases_has_not_learnt_them() -> None:
    plain = Classifier(Whiteness(), classes=DATA.classes, size=64, device="cpu", precision="float32")
    found = biases(plain, DATA, 60)
    # all but class 0, which is about no bias, move together: nothing rises but by the pixels' brightness
    assert max(abs(one.rise.value) for one in found) < 0.01


def test_confusion_of_an_undecided_network_is_even() -> None:
    even = Classifier(Whiteness(), classes=DATA.classes, size=64, device="cpu", precision="float32")
    made = confusion(even, DATA, 1_500)
    assert made.within == pytest.approx(made.outside, rel=0.1)


def test_the_page_is_made_from_the_code_and_from_these_networks() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/write_world.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((ROOT / "docs/world/figures.json").read_text())
    assert figures["data"] == DATA.digest, "the scenes changed: scripts/write-world --measure RUN"
    for name in NETS:
        digest = NETWORKS.make(name).load(device="cpu", precision="float32").digest
        assert figures["networks"][name]["digest"] == digest, f"{name} changed: scripts/write-world --measure RUN"
    assert replace(DATA, natural=("fork",)).natural_rate == DATA.natural_rate
