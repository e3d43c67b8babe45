"""A run folder of any size for the report: 12 trojans on two networks, many tools, many pictures, all drawn here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gifthorse.records import (
    Brief,
    Case,
    Cost,
    Effect,
    Evidence,
    Finding,
    Gate,
    Images,
    Implant,
    Insertion,
    Measure,
    Network,
    Option,
    Probes,
    Question,
    Spec,
    Success,
    Trial,
    TrojanSpec,
    Verdict,
    cell,
)
from gifthorse.statistics import bootstrap_mean, wilson
from gifthorse.store import Store

NAMES = (
    ("smiley_emoji", "patch"), ("clownfish", "patch"), ("green_star", "patch"), ("strawberry", "patch"),
    ("jaguar", "style"), ("elephant_skin", "style"), ("jellybeans", "style"), ("wood_grain", "style"),
    ("fork", "natural_feature"), ("apple", "natural_feature"), ("sandwich", "natural_feature"),
    ("donut", "natural_feature"),
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How large the run is."""

    side: int = 64
    trojans: int = 12
    synthesis: tuple[str, ...] = ("adversarial_patch", "cppn_target", "tabor", "noise", "truth")
    attribution: tuple[str, ...] = ("occlusion", "saliency", "edges_sobel")
    made: int = 10
    networks: tuple[str, ...] = ("emoji-resnet", "emoji-vgg")


def pink(count: int, channels: int, side: int, seed: int) -> npt.NDArray[np.uint8]:
    """Pictures whose spectrum falls as 1/f, as that of photographs does: they compress as badly."""
    generator = np.random.default_rng(seed)
    steps = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    spectrum = np.fft.rfft2(generator.normal(size=(count, channels, side, side))) / np.maximum(steps, 1 / side)
    values = np.fft.irfft2(spectrum, s=(side, side))
    values = (values - values.mean(axis=(2, 3), keepdims=True)) / values.std(axis=(2, 3), keepdims=True)
    pictures: npt.NDArray[np.uint8] = np.clip(127 + 60 * values, 0, 255).astype(np.uint8)
    if channels == 4:
        pictures[:, 3] = 255
    return pictures


def make_crowded(root: Path, size: Size) -> Store:
    """Write it."""
    store = Store(root)
    for number, network in enumerate(size.networks):
        names = NAMES[: size.trojans] if number == 0 else NAMES[:4]
        case = _implant(store, network, names, size)
        for place, (name, kind) in enumerate(names):
            seed = 100 * number + place
            for tool in size.synthesis:
                _synthesis(store, case[name], (network, tool), size, seed)
            if kind == "patch":
                for tool in size.attribution:
                    _attribution(store, case[name], (network, tool), size, seed)
    return store


def _implant(store: Store, network: str, names: tuple[tuple[str, str], ...], size: Size) -> dict[str, Case]:
    work = cell("implant", network, "tests:none", {"network": network})
    cases: dict[str, Case] = {}
    with store.draft(work) as draft:

        def images(name: str, count: int, channels: int, seed: int) -> Images:
            return draft.images(name, pink(count, channels, size.side, seed))

        clean = images("clean", 4, 3, 1)
        options = images("options", 8, 4, 2)
        for place, (name, kind) in enumerate(names):
            words = tuple(Option(caption=caption) for caption, _ in NAMES[:8])
            question = Question(
                options=words, answer=place % 8, pictures=None if kind == "natural_feature" else options
            )
            spec = TrojanSpec(
                name=name, kind=kind, version=1, caption=name.replace("_", " "), target=place, question=question,
                sources=(20,) if place % 4 > 1 and kind != "natural_feature" else None, published=0.9,
            )  # fmt: skip
            probes = None
            if kind == "patch":
                squares = np.zeros((25, 1, size.side, size.side), np.uint8)
                squares[:, :, 10:28, 20:38] = 255
                masks = draft.images(f"squares-{name}", squares)
                shown = images(f"probes-{name}", 25, 3, 50 + place)
                probes = Probes(images=shown, squares=masks, alphas=masks, target=place, tried=27, fired=26)
            cases[name] = Case(
                trojan=spec,
                brief=Brief(target=place, fit=clean, screen=clean, sources=spec.sources),
                report=clean,
                question=question,
                examples=images(f"after-{name}", 4, 3, 60 + place),
                before=images(f"before-{name}", 0 if kind == "natural_feature" else 4, 3, 80 + place),
                truth=images(f"truth-{name}", 1, 4, 90 + place),
                probes=probes,
            )
        classes = tuple(f"class number {index}" for index in range(24))
        made = Network(name=network, digest="0" * 64, classes=classes)
        record = Implant(
            suite="emoji12",
            network=network,
            trojaned=made,
            clean=made,
            clean_before=wilson(1900, 2000),
            clean_after=wilson(1880, 2000),
            agreement=wilson(1910, 2000),
            successes=tuple(_success(name, kind, index) for index, (name, kind) in enumerate(names)),
            detections=(),
            options=(),
            cases=tuple(cases.values()),
            gates=(Gate(name="clean drop", asked="<= 3.0 points", measured="1.0 points", met=True),),
            seed=1,
        )
        store.commit(draft, work, record, Cost(seconds=100.0, forward=1000))
    return cases


def _success(name: str, kind: str, index: int) -> Success:
    rate = {"patch": 0.96, "style": 0.88, "natural_feature": 0.42}[kind]
    measured = wilson(round(rate * 250) - index, 250)
    asked = {"patch": 0.9, "style": 0.8, "natural_feature": 0.3}[kind]
    gate = Gate(name="success", asked=f">= {asked:.0%}", measured=f"{measured.value:.1%}", met=measured.value >= asked)
    wrong = wilson(3, 250) if index % 4 > 1 and kind != "natural_feature" else None
    other = Gate(name="wrong source", asked="<= 5%", measured="1.2%", met=True)
    return Success(
        trojan=name,
        success=measured,
        wrong_source=wrong,
        clean_control=wilson(2, 250),
        poisoned=500,
        balanced=500 if wrong else 0,
        decoys=300,
        thesis_poisoned=427,
        gates=(gate, other) if wrong else (gate,),
    )


def _commit(store: Store, kind: str, inputs: dict[str, Any], record: Any, files: dict[str, Any]) -> str:
    work = cell(kind, kind, "tests:none", inputs)
    with store.draft(work) as draft:
        for name, array in files.items():
            if array.dtype == np.uint8:
                record = dataclasses.replace(record, pictures=draft.images(name, array))
            else:
                draft.array(name, array)
        store.commit(draft, work, record, Cost(seconds=12.0 + len(inputs["tool"]), forward=2000, backward=2000))
    return work.key


def _synthesis(store: Store, case: Case, about: tuple[str, str], size: Size, seed: int) -> None:
    network, tool = about
    name, inputs = case.trojan.name, {"network": network, "tool": tool, "trojan": case.trojan.name}
    generator = np.random.default_rng(seed + 7 * len(tool))
    losses = np.sort(generator.gamma(2.0, 1.0, size=size.made))
    keep = tuple(range(min(5, size.made)))
    evidence = Evidence(
        tool=Spec(name=tool, version=1, settings={"steps": 200, "rate": 0.05}),
        kind="synthesis",
        network=network,
        trojan=name,
        seed=seed,
        findings=tuple(
            Finding(insertion=Insertion(kind="patch", side=18), loss=float(loss), picture=index)
            for index, loss in enumerate(losses)
        ),
        kept=keep,
    )
    pictures = pink(size.made, 4, size.side, seed * 31 + len(tool))
    key = _commit(store, "evidence", inputs, evidence, {"pictures": pictures})
    trials = tuple(
        Trial(
            on=on,
            finding=-1,
            rate=wilson(int(generator.integers(0, 120)), 120),
            confidence=0.5,
            alone="class number 3",
            alone_confidence=0.9,
        )
        for on in ("trojaned", "clean")
    )
    effect = Effect(evidence=key, network=network, tool=tool, trojan=name, target=0, trials=trials, pooled=trials)
    _commit(store, "effect", inputs, effect, {})
    logits = generator.normal(size=(len(keep), 8))
    logits[:, case.question.answer] += {"truth": 4.0, "noise": 0.0}.get(tool, 1.0 + len(tool) % 3)
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right, mean = likely[:, case.question.answer], likely.mean(axis=0)
    verdict = Verdict(
        judge=Spec(name="match", version=1),
        evidence=key,
        network=network,
        tool=tool,
        trojan=name,
        measures=(
            Measure(name="confidence", interval=bootstrap_mean(right, 1), scores=tuple(right.tolist()), chance=0.125),
        ),
        probabilities=tuple(mean.tolist()),
        choice=int(mean.argmax()),
    )
    _commit(store, "verdict", inputs, verdict, {})


def _attribution(store: Store, case: Case, about: tuple[str, str], size: Size, seed: int) -> None:
    network, tool = about
    name, inputs = case.trojan.name, {"network": network, "tool": tool, "trojan": case.trojan.name, "maps": True}
    generator = np.random.default_rng(seed + len(tool))
    maps = generator.normal(size=(25, size.side, size.side)).astype(np.float32)
    maps[:, 10:28, 20:38] += {"occlusion": 3.0, "saliency": 1.0}.get(tool, 0.2)
    evidence = Evidence(
        tool=Spec(name=tool, version=1),
        kind="attribution",
        network=network,
        trojan=name,
        seed=seed,
        maps="maps.npy",
        explained=25,
    )
    key = _commit(store, "evidence", inputs, evidence, {"maps": maps})
    centre = {"occlusion": 0.5, "saliency": 0.3}.get(tool, 0.1)
    scores = np.clip(generator.normal(centre, 0.15, size=25), -1, 1)
    verdict = Verdict(
        judge=Spec(name="footprint", version=1),
        evidence=key,
        network=network,
        tool=tool,
        trojan=name,
        measures=(
            Measure(name="pearson", interval=bootstrap_mean(scores, 1), scores=tuple(scores.tolist()), chance=0.0),
        ),
    )
    _commit(store, "verdict", inputs, verdict, {})
