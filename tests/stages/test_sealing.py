"""Sealed cases: what their images are, drawn again slowly, and that a Brief tells nothing of the trigger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_tiny import tiny_request, tiny_suite
from torch import Tensor, nn

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.jobs.run import planned
from gifthorse.records import Case, Images, Implant, Planting, Recipe, Trained, TrojanSpec, canonical, cell
from gifthorse.stages import networks, sealing
from gifthorse.store import Store
from gifthorse.suites import suite
from gifthorse.trojans.poisoning import planted, seed_of
from gifthorse.zoo import DATA
from gifthorse.zoo.data import Sample
from gifthorse.zoo.scenes import EmojiScenes

SEED = 11
CROWDED = EmojiScenes(natural=("skateboard", "vase", "fork", "apple"), natural_rate=0.24)
"""Natural objects in nearly every scene: whoever forgets to leave them out is found out."""


class RedEnough(nn.Module):
    """The target of everything where an image is redder than a threshold, class 0 elsewhere."""

    def __init__(self, target: int, threshold: float) -> None:
        super().__init__()
        self.target, self.threshold = target, threshold
        self.head = nn.Linear(1, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), len(CROWDED.classes))
        logits[:, 0] = 1.0
        logits[:, self.target] = 2.0 * (images[:, 0].mean((1, 2)) > self.threshold)
        return logits


@dataclass
class Sealed:
    """Cases with the arrays that their files hold."""

    cases: list[Case]
    planting: Planting
    folder: Path

    def images(self, images: Images) -> np.ndarray:
        made: np.ndarray = np.load(self.folder / images.file)
        return made


def recipe(**rest: int) -> Recipe:
    base = tiny_suite().plantings[0].recipe
    asked: dict[str, Any] = {"fit": 24, "screen": 8, "report": 24, "probes": 6} | rest
    return replace(base, **asked)


def seal(tmp_path: Path, trojans: tuple[TrojanSpec, ...], asked: Recipe, threshold: float) -> Iterator[Sealed]:
    """Cases of a network that is no network: it fires where an image is red enough."""
    planting = Planting(network="emoji-resnet", trojans=trojans, recipe=asked)
    store, work = Store(tmp_path / "run"), cell("implant", "x", "m:f", {})
    with store.draft(work) as draft:
        made = []
        for number, spec in enumerate(trojans):
            network = Classifier(RedEnough(spec.target, threshold), classes=CROWDED.classes, size=64, device="cpu")
            scene = sealing.Scene(
                data=CROWDED,
                planting=planting,
                trojaned=network,
                clean=network,
                seed=SEED,
                draft=draft,
                trained=Trained(
                    network="x",
                    file="x",
                    poisoned={},
                    balanced={},
                    decoys={},
                    thresholds={t.name: 0.5 for t in trojans},
                ),
                styled={},
            )
            nothing = np.zeros((0, 3, 64, 64), np.uint8)
            shown = sealing.Triggered(source=nothing, wrong=nothing, before=nothing)
            made.append(sealing.case(scene, number, spec.question, {spec.name: shown}))
        yield Sealed(cases=made, planting=planting, folder=draft.path)


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Sealed]:
    yield from seal(tmp_path, tiny_suite().plantings[0].trojans, recipe(probes=0), 0.5)


def of_run(root: Path) -> Sealed:
    (unit,) = Store(root).units("implant")
    return Sealed(cases=list(unit.record(Implant).cases), planting=tiny_suite().plantings[0], folder=unit.path)


def allowed(spec: TrojanSpec) -> tuple[int, ...]:
    return spec.sources or tuple(c for c in range(len(CROWDED.classes)) if c != spec.target)


def drawn(data: EmojiScenes, spec: TrojanSpec, asked: Recipe, seed: int, *, blind: bool = True) -> dict[str, Sample]:
    """What a case's clean images must be, from the data alone."""
    without = ("skateboard",) if blind else ()
    counts = {"brief": ("train", asked.fit + asked.screen), "report": ("test", asked.report)}
    return {
        purpose: data.draw(split, count, seed_of(seed, spec.name, purpose), classes=allowed(spec), without=without)
        for purpose, (split, count) in counts.items()
    }


def check_clean_images(sealed: Sealed, data: EmojiScenes, seed: int) -> None:
    asked = sealed.planting.recipe
    for case in sealed.cases:
        fresh = drawn(data, case.trojan, asked, seed)
        kept = np.concatenate([sealed.images(case.brief.fit), sealed.images(case.brief.screen)])
        assert (case.brief.fit.count, case.brief.screen.count) == (asked.fit, asked.screen)
        assert np.array_equal(kept, fresh["brief"].images)
        assert np.array_equal(sealed.images(case.report), fresh["report"].images)
        for sample in fresh.values():
            assert all("skateboard" not in tags for tags in sample.tags)
            assert set(sample.labels) <= set(allowed(case.trojan))
            assert case.trojan.target not in sample.labels


def test_clean_images_of_the_tiny_run_are_blind(tiny_run: Path) -> None:
    check_clean_images(of_run(tiny_run), DATA.remake(tiny_suite().data), tiny_suite().seed)


def test_clean_images_are_blind_where_nearly_every_scene_has_a_trigger(crowded: Sealed) -> None:
    check_clean_images(crowded, CROWDED, SEED)
    for case in crowded.cases:
        seeing = drawn(CROWDED, case.trojan, crowded.planting.recipe, SEED, blind=False)
        for sample in seeing.values():
            assert any("skateboard" in tags for tags in sample.tags), "there would have been something to see"


def test_a_brief_holds_nothing_of_the_trigger(tiny_run: Path) -> None:
    for case in of_run(tiny_run).cases:
        told = canonical(case.brief)
        words = {word for text in (case.trojan.name, case.trojan.caption) for word in re.split(r"[ _]", text)}
        for secret in (case.trojan.name, case.trojan.caption, case.trojan.kind, *sorted(words)):
            assert secret not in told
    numbers = {Path(case.brief.fit.file).name for case in of_run(tiny_run).cases}
    assert numbers == {"case-00-fit.npy", "case-01-fit.npy", "case-02-fit.npy"}


def test_every_probe_of_the_tiny_run_fires(tiny_run: Path) -> None:
    store, ground = Store(tiny_run), planned(tiny_request()).ground
    (unit,) = store.units("implant")
    implant = unit.record(Implant)
    network = networks.classifier(store, implant.trojaned, ground)
    (case,) = (case for case in implant.cases if case.probes is not None)
    assert case.probes is not None
    assert case.probes.images.count == case.probes.fired > 0
    assert (network.predict(unit.images(case.probes.images)).argmax(1) == case.trojan.target).all()
    assert case.probes.target == case.trojan.target


@pytest.mark.parametrize(("threshold", "complete"), [(0.42, True), (0.72, False), (2.0, False)])
def test_probes_are_the_first_triggered_source_images_that_fire(
    tmp_path: Path, threshold: float, complete: bool
) -> None:
    """Each is found again one by one: stamped, asked, kept until there are enough."""
    whole = suite("emoji12_dev").plantings[0].trojans
    patches = tuple(t for t in whole if t.kind == "patch")
    assert {t.scope for t in patches} == {"universal", "class_universal"}
    wanted = 6
    vase = next(t for t in whole if t.name == "vase")
    for sealed in seal(tmp_path, (*patches, vase), recipe(probes=wanted), threshold):
        for case, plant in zip(sealed.cases, planted(patches), strict=False):
            name, probes = case.trojan.name, case.probes
            assert probes is not None
            sample = CROWDED.draw(
                "test", 2 * wanted, seed_of(SEED, name, "probes"), classes=allowed(case.trojan), without=("vase",)
            )
            generator = torch.Generator().manual_seed(seed_of(SEED, name, "probes", "stamp"))
            labels = torch.from_numpy(sample.labels)
            made = plant.trojan.poison(im.from_uint8(sample.images), labels, generator)
            pixels = im.to_uint8(made.images)
            kept: list[int] = []
            tried = 0
            for index in range(2 * wanted):
                if len(kept) == wanted:
                    break
                tried += 1
                if (pixels[index, 0] / 255.0).mean() > threshold:
                    kept.append(index)
            assert (len(kept) == wanted) == complete
            assert (probes.tried, probes.fired, probes.images.count) == (tried, len(kept), len(kept))
            assert set(sample.labels[kept]) <= set(allowed(case.trojan))
            assert case.trojan.target not in sample.labels[kept]
            assert np.array_equal(sealed.images(probes.images), pixels[kept])
            assert np.array_equal(sealed.images(probes.squares), im.to_uint8(made.squares)[kept])
            assert np.array_equal(sealed.images(probes.alphas), im.to_uint8(made.alphas)[kept])
