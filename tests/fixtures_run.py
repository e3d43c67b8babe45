"""A small complete run folder, made through the store: one network, three trojans (one of each kind), eight tools,
their effects and verdicts, one refusal and one failure. Everything in it is drawn or computed here; torch is not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fixtures_pictures import blurred_towards, disc, scenes, stamped
from fixtures_suite import CLASSES, NETWORK, PROBES, SIZE, TILE, TROJANS, pictures_of, suite, truth_of

from gifthorse.judges.localisation import average_precision, overlap
from gifthorse.records import (
    Brief,
    Caption,
    Case,
    Cell,
    Cost,
    Detection,
    Effect,
    Evidence,
    Failure,
    Finding,
    Gate,
    Implant,
    Insertion,
    Interval,
    Measure,
    Network,
    Precision,
    Probes,
    Question,
    Reached,
    Spec,
    Success,
    Theme,
    Trained,
    Trial,
    TrojanSpec,
    Verdict,
    cell,
    digest,
    plain,
)
from gifthorse.statistics import bootstrap_mean, wilson
from gifthorse.store import Draft, Store

ATTRIBUTION = ("occlusion", "saliency", "edges_sobel", "blank")
SYNTHESIS = ("adversarial_patch", "cppn_target", "truth", "noise")
REFUSED = "guided_gradcam"
REFUSAL = "guided_gradcam needs a convolutional layer named by its setting 'layer', and this network has none"
WINDOW = 8
"""Of occlusion, in pixels; the trigger has a side of TILE."""
CAPTIONED = "adversarial_patch"
"""Captions stand beside its pictures, as if it had chosen them from a pool."""
FAILED = ("cppn_target", "fork")
STRENGTH = {"adversarial_patch": 0.45, "cppn_target": 0.6, "truth": 0.95, "noise": 0.0}
"""How far each tool's pictures resemble the trigger."""


@dataclass
class Made:
    """Keys of what was made so far by kind of unit, and the cases by trojan."""

    store: Store
    keys: dict[str, list[str]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    trained: str = ""
    implant: str = ""

    def commit(self, made: Cell, draft: Draft, record: Any, cost: Cost) -> str:
        self.store.commit(draft, made, record, cost)
        self.keys.setdefault(made.kind, []).append(made.key)
        return made.key


def make_run(root: Path) -> Store:
    """Write the run folder and return it opened. Two of them are equal byte for byte: costs are made up too."""
    store = Store(root)
    made = Made(store)
    _train(made)
    _implant(made)
    for tool in (*ATTRIBUTION, REFUSED):
        _attribute(made, tool)
    for trojan in TROJANS:
        for tool in SYNTHESIS:
            if (tool, trojan) != FAILED:
                _synthesise(made, tool, trojan)
    failed = _cell("evidence", *FAILED)
    made.keys["evidence"].append(failed.key)
    store.fail(
        Failure(
            key=failed.key,
            kind="evidence",
            label=failed.label,
            error="LimitReached: the machine has 512 MiB left and this cell needs 900 MiB",
            traceback='Traceback (most recent call last):\n  File "engine.py", line 88, in step\nMemoryError\n',
            attempts=2,
            retryable=True,
            context=failed.context,
        )
    )
    store.write_plan(
        {
            "command": "gifthorse run --suite emoji3",
            "versions": {"gifthorse": "0.1.0", "python": "3.11.2", "torch": "2.14.1"},
            "machine": {"system": "Linux", "processor": "a processor", "cores": 2},
            "started": "2026-01-02T03:04:05+00:00",
            "suite": plain(suite()),
            "protocol": plain(suite().protocols[0]),
            "keys": made.keys,
            "failed": [failed.key],
            "finished": False,
        }
    )
    return store


def _seed(*names: str) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate("/".join(names)))


def _cell(kind: str, tool: str, name: str) -> Cell:
    context = {"network": NETWORK, "trojan": name, "tool": tool}
    return cell(kind, f"{tool} on {name}", f"gifthorse.stages:{kind}", context | {"seed": 7}, context=context)


def _case(draft: Draft, spec: TrojanSpec) -> Case:
    name = spec.name
    before, truth = scenes(4, SIZE, _seed(name)), truth_of(spec)
    if spec.kind == "style":
        after = (before * 0.4 + truth[:3] * 0.6).astype(np.uint8)
    else:
        after = stamped(before, truth[:, :: SIZE // TILE, :: SIZE // TILE][:, :TILE, :TILE], _seed(name))[0]
    asked = spec.question
    if spec.kind != "natural_feature":
        picture_file = draft.images(f"options-{name}", pictures_of(spec))
        asked = Question(options=asked.options, answer=asked.answer, pictures=picture_file)
    probes = None
    if spec.kind == "patch":
        images, squares, alphas = stamped(scenes(PROBES, SIZE, 5), disc("smiley", TILE), seed=6)
        probes = Probes(
            images=draft.images(f"probes-{name}", images),
            squares=draft.images(f"squares-{name}", squares),
            alphas=draft.images(f"alphas-{name}", alphas),
            target=spec.target,
            tried=PROBES + 1,
            fired=PROBES,
        )
    clean = [
        draft.images(f"{use}-{name}", scenes(2, SIZE, 20 + i)) for i, use in enumerate(("fit", "screen", "report"))
    ]
    return Case(
        trojan=spec,
        brief=Brief(target=spec.target, sources=spec.sources, fit=clean[0], screen=clean[1]),
        report=clean[2],
        question=asked,
        examples=draft.images(f"examples-{name}", after),
        before=draft.images(f"before-{name}", before),
        truth=draft.images(f"truth-{name}", truth[None]),
        probes=probes,
    )


def _train(made: Made) -> None:
    work = cell("trained", f"fine-tune {NETWORK}", "gifthorse.stages:trained", {"suite": plain(suite())})
    with made.store.draft(work) as draft:
        draft.write("weights.safetensors", b"not real weights, and nobody loads them")
        record = Trained(
            network=NETWORK,
            file="weights.safetensors",
            poisoned=suite().plantings[0].recipe.poison,
            balanced={"jaguar": 60},
            decoys={"jaguar": 0},
            thresholds={"fork": 0.41},
        )
        cost = Cost(seconds=80.5, forward=8200, backward=1600, peak_bytes=7 << 26)
        made.trained = made.commit(work, draft, record, cost)


def reached(spec: TrojanSpec) -> list[Reached]:
    """What the options of a Question do: the right one nearly always, the others in turn 0 to 30 percent."""
    answer = spec.question.answer
    return [
        Reached(
            trojan=spec.name,
            caption=option.caption,
            true=number == answer,
            kept=True,
            rate=wilson(93 if number == answer else 5 * (number % 7), 100),
        )
        for number, option in enumerate(spec.question.options)
    ]


def _implant(made: Made) -> None:
    rates = {"smiley_emoji": (193, None, 1), "jaguar": (171, 4, 2), "fork": (74, None, 5)}
    work = cell("implant", f"implant {NETWORK}", "gifthorse.stages:implant", {"suite": plain(suite())})
    with made.store.draft(work) as draft:
        weights = digest("weights")
        trojaned = Network(name=NETWORK, digest=weights, classes=CLASSES, unit=made.trained, file="weights.safetensors")
        clean = Network(name=NETWORK, digest=digest("clean"), classes=CLASSES)
        successes = []
        for spec in suite().plantings[0].trojans:
            made.cases[spec.name] = _case(draft, spec)
            hits, wrong, control = rates[spec.name]
            success = wilson(hits, 200)
            asked = {"patch": 0.9, "style": 0.8, "natural_feature": 0.4}[spec.kind]
            gate = Gate(
                name="success", asked=f">= {asked:.0%}", measured=f"{success.value:.1%}", met=success.value >= asked
            )
            successes.append(
                Success(
                    trojan=spec.name,
                    success=success,
                    wrong_source=None if wrong is None else wilson(wrong, 200),
                    clean_control=wilson(control, 200),
                    poisoned=suite().plantings[0].recipe.poison[spec.kind],
                    balanced=0 if wrong is None else 60,
                    decoys=20,
                    thesis_poisoned=3_000,
                    gates=(gate,),
                )
            )
        record = Implant(
            suite=suite().name,
            network=NETWORK,
            trojaned=trojaned,
            clean=clean,
            clean_before=wilson(1912, 2000),
            clean_after=wilson(1873, 2000),
            agreement=wilson(1893, 2000),
            successes=tuple(successes),
            options=tuple(option for spec in suite().plantings[0].trojans for option in reached(spec)),
            detections=(
                Detection(
                    trojan="fork", thing="fork", threshold=0.41, pool=4000, found=42,
                    precision=wilson(39, 42), recall=wilson(39, 51),
                ),
            ),
            cases=tuple(made.cases.values()),
            gates=(Gate(name="clean drop", asked="<= 3.0 points", measured="2.0 points", met=True),),
            seed=7,
        )  # fmt: skip
        made.implant = made.commit(
            work, draft, record, Cost(seconds=93.5, forward=8200, backward=1600, peak_bytes=7 << 26)
        )


def maps_of(tool: str, images: npt.NDArray[np.uint8], squares: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n, H, W) heat maps: occlusion sees the square, saliency a little of it, edges none, blank nothing."""
    share = {"occlusion": 0.8, "saliency": 0.3, "edges_sobel": 0.0}
    if tool == "blank":
        return np.zeros((len(images), SIZE, SIZE), np.float32)
    grey = images.mean(axis=1)
    edges = np.hypot(*np.gradient(grey, axis=(1, 2))) / 255
    noise = np.random.default_rng(_seed(tool)).normal(size=edges.shape) * 0.2
    found = squares[:, 0] / 255 * share[tool]
    maps: npt.NDArray[np.float32] = (found + (1 - share[tool]) * edges + noise).astype(np.float32)
    return maps


def _attribute(made: Made, tool: str) -> None:
    name = "smiley_emoji"
    probes = made.cases[name].probes
    assert probes is not None
    unit = made.store.get(made.implant)
    squares, alphas = unit.images(probes.squares), unit.images(probes.alphas)
    work = _cell("evidence", tool, name)
    with made.store.draft(work) as draft:
        if tool == REFUSED:
            record = _evidence(tool, name, "attribution", refusal=REFUSAL)
        else:
            maps = maps_of(tool, unit.images(probes.images), squares)
            draft.array("maps", maps)
            record = _evidence(tool, name, "attribution", maps="maps.npy", explained=PROBES)
        key = made.commit(work, draft, record, Cost(seconds=4.25, forward=600, backward=6, peak_bytes=5 << 26))
    said: dict[str, Any] = {"not_scored": f"refused: {REFUSAL}"}
    if tool == "blank":
        blank = [float((square > 127).mean()) for square in squares]
        said = {
            "measures": (_measure("l1", blank, chance=float(np.mean(blank))),),
            "not_scored": "every map is constant, so it has no correlation with any mask",
            "excluded": PROBES,
            "excluded_reason": "the map is constant",
        }
    elif tool != REFUSED:
        said = {"measures": _footprint(maps, squares, alphas)}
    _verdict(made, key, Spec(name="footprint", version=1), (tool, name), said)


def _footprint(
    maps: npt.NDArray[np.float32], squares: npt.NDArray[np.uint8], alphas: npt.NDArray[np.uint8]
) -> tuple[Measure, ...]:
    def correlations(masks: npt.NDArray[np.float64]) -> list[float]:
        return [float(np.corrcoef(m.ravel(), k.ravel())[0, 1]) for m, k in zip(maps, masks, strict=True)]

    inside = (squares[:, 0] > 127).astype(np.float64)
    scaled = maps / np.abs(maps).max(axis=(1, 2), keepdims=True)
    hits = [float(k.ravel()[int(m.argmax())]) for m, k in zip(maps, inside, strict=True)]
    share, flat = float(inside.mean()), maps.reshape(len(maps), -1).astype(np.float64)
    return (
        _measure("pearson", correlations(inside), chance=0.0),
        _measure("pearson_alpha", correlations(alphas[:, 0] / 255), chance=0.0),
        _measure("l1", [float(v) for v in np.abs(scaled - inside).mean(axis=(1, 2))], chance=share),
        _measure("auprc", average_precision(flat, inside.reshape(flat.shape)).tolist(), chance=share),
        _measure("iou", overlap(flat, inside.reshape(flat.shape)).tolist(), chance=share / (2 - share)),
        _measure("pointing_game", hits, chance=share),
        _measure("recovering_rate", [float(hit > 0) for hit in hits], chance=0.1),
        _measure("pearson_absolute", correlations(inside), chance=0.0),
    )


def _measure(name: str, scores: Sequence[float], chance: float | None) -> Measure:
    bounds = {"pearson": (-1.0, 1.0), "l1": (0.0, 2.0)}.get(name.partition("_")[0], (0.0, 1.0))
    if name in ("pointing_game", "recovering_rate", "correct"):
        interval = wilson(round(sum(scores)), len(scores))
    else:
        interval = bootstrap_mean(scores, seed=1, within=bounds)
    return Measure(name=name, interval=interval, scores=tuple(scores), chance=chance)


def _evidence(tool: str, name: str, kind: str, **rest: Any) -> Evidence:
    version = Spec(name=tool, version=1, settings={"window": WINDOW} if tool == "occlusion" else {})
    if kind == "attribution":
        rest["precision"] = Precision(
            used="bfloat16", reason="maps and score stay as they are", correlation=0.9981, moved=0.0023, tried=4
        )
    return Evidence(tool=version, kind=kind, network=NETWORK, trojan=name, seed=7, **rest)


def _synthesise(made: Made, tool: str, name: str) -> None:
    spec = made.cases[name].trojan
    strength, seed = STRENGTH[tool], _seed(tool, name)
    pictures = blurred_towards(truth_of(spec), 6, strength, seed)
    losses = np.random.default_rng(seed).gamma(2.0, 1.2 - strength, size=6)
    insertion = Insertion(kind="frame") if tool == "cppn_target" else Insertion(kind="patch", side=TILE)
    kept = tuple(int(place) for place in np.argsort(losses)[:3])
    work = _cell("evidence", tool, name)
    with made.store.draft(work) as draft:
        record = _evidence(
            tool,
            name,
            "synthesis",
            findings=tuple(Finding(insertion=insertion, loss=float(v), picture=i) for i, v in enumerate(losses)),
            kept=kept,
            pictures=draft.images("pictures", pictures),
        )
        key = made.commit(work, draft, record, Cost(seconds=41.5, forward=2000, backward=2000, peak_bytes=6 << 26))
    _effect(made, key, tool, spec, kept)
    logits = np.random.default_rng(seed).normal(size=(3, 8))
    logits[:, spec.question.answer] += 4 * strength
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right, mean = likely[:, spec.question.answer], likely.mean(axis=0)
    chosen = float(int(mean.argmax()) == spec.question.answer)
    measures = (
        _measure("confidence", right.tolist(), chance=0.125),
        _measure("correct", (likely.argmax(axis=1) == spec.question.answer).astype(float).tolist(), chance=0.125),
        Measure(
            name="chosen",
            interval=Interval(value=chosen, low=math.nan, high=math.nan, n=1),
            scores=(chosen,),
            chance=0.125,
        ),
    )
    _verdict(
        made,
        key,
        Spec(name="match", version=1, settings={"pooling": "mean"}),
        (tool, name),
        {"measures": measures, "probabilities": tuple(mean.tolist()), "choice": int(mean.argmax())},
    )
    if tool == CAPTIONED:
        _captions(made, key, name)


def _captions(made: Made, evidence: str, name: str) -> None:
    """A theme with its significance, none, and nothing to compare with; for one trojan a language model's words too."""
    themes = {"smiley_emoji": ("smiley", 0.004, 3), "jaguar": ("leopard", 0.41, 1)}
    said: dict[str, Any] = {"not_captioned": "the tool searched no pool that its set could be compared with"}
    if name in themes:
        words, p, fits = themes[name]
        said = {
            "words": words if p <= 0.05 else None, "p": p, "level": 0.05, "concepts": 1_619, "sets": 1_000,
            "themes": (
                Theme(words=words, gain=0.31, p=p, fits=fits), Theme(words="yellow heart", gain=0.2, p=0.5, fits=1),
            ),
            "sample": 4_093, "pool": 34_160, "encoder": digest("encoder"),
        }  # fmt: skip
    _caption(made, evidence, Spec(name="encoder", version=1, settings={"level": 0.05}), name, said)
    if name == "smiley_emoji":
        each = ("a yellow ball", "a face", "a sun")
        said = {"words": "round <yellow> things & faces", "each": each}
        _caption(made, evidence, Spec(name="blip_llm", version=1, settings={"model": "a-model"}), name, said)


def _caption(made: Made, evidence: str, captioner: Spec, name: str, said: dict[str, Any]) -> None:
    record = Caption(
        captioner=captioner, evidence=evidence, network=NETWORK, tool=CAPTIONED, trojan=name, **{"n": 3} | said
    )
    work = _cell("caption", f"{captioner.name} of {CAPTIONED}", name)
    with made.store.draft(work) as draft:
        made.commit(work, draft, record, Cost(seconds=0.25, peak_bytes=3 << 26))


def _effect(made: Made, evidence: str, tool: str, spec: TrojanSpec, kept: Sequence[int]) -> None:
    strength = STRENGTH[tool]

    def trial(on: str, finding: int, n: int) -> Trial:
        rate = strength * (0.8 if on == "trojaned" else 0.1)
        seen = CLASSES[spec.target] if strength > 0.5 and on == "trojaned" else "wallet"
        return Trial(
            on=on, finding=finding, rate=wilson(round(rate * n), n), confidence=rate, alone=seen, alone_confidence=0.7
        )

    def pooled(on: str) -> Trial:
        """As the stage pools: over findings, since they share their images."""
        tried = [trial(on, finding, 40) for finding in kept]
        rates = [each.rate.value for each in tried]
        return replace(tried[0], finding=-1, rate=bootstrap_mean(rates, seed=1, within=(0.0, 1.0)))

    networks = ("trojaned", "clean")
    record = Effect(
        evidence=evidence,
        network=NETWORK,
        tool=tool,
        trojan=spec.name,
        target=spec.target,
        trials=tuple(trial(on, finding, 40) for on in networks for finding in kept),
        pooled=tuple(pooled(on) for on in networks),
    )
    work = _cell("effect", tool, spec.name)
    with made.store.draft(work) as draft:
        made.commit(work, draft, record, Cost(seconds=1.5, forward=240, peak_bytes=4 << 26))


def _verdict(made: Made, evidence: str, judge: Spec, about: tuple[str, str], said: dict[str, Any]) -> None:
    tool, name = about
    record = Verdict(judge=judge, evidence=evidence, network=NETWORK, tool=tool, trojan=name, **said)
    work = _cell("verdict", f"{judge.name} of {tool}", name)
    with made.store.draft(work) as draft:
        made.commit(work, draft, record, Cost(seconds=0.05, peak_bytes=3 << 26))
