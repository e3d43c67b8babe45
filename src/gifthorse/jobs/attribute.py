"""Maps for anyone's own network and images: load, frame, explain, draw. No run folder, no trojans, no score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gifthorse import heat
from gifthorse.classifier import Classifier
from gifthorse.errors import GifthorseError
from gifthorse.images import from_uint8
from gifthorse.jobs.own import Own, class_of, classifier, facts, folder_of, picture, whole
from gifthorse.registry import base, own_settings
from gifthorse.report import own_maps, words
from gifthorse.report.pictures import own_scale
from gifthorse.stages.precision import decide
from gifthorse.tools import TOOLS
from gifthorse.tools.attribution.base import Attribution, Maps
from gifthorse.zoo.torchvision_networks import Preset

MOST = 64
"""Reference images that are read: the first ones by path. Baselines and pools hardly change with more (our choice)."""

LIKELY = 3
"""Classes named for each image, the likeliest first."""


@dataclass(frozen=True, kw_only=True)
class Order(Own):
    """What is asked for.

    Attributes:
        images: picture files.
        methods: attribution tools, each with the settings of its own that it may have.
        target: class name or index; None for each image's likeliest class.
        references: folder of clean images, for methods that need some.
    """

    images: tuple[Path, ...]
    methods: tuple[str, ...]
    target: str | None = None
    references: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it.

    Attributes:
        subjects: the images, as they went into the network.
        attempts: one a method, in the order asked.
        facts: network, framing and references in words, by name.
    """

    network: str
    classes: tuple[str, ...]
    subjects: tuple[own_maps.Subject, ...]
    attempts: tuple[own_maps.Attempt, ...]
    facts: dict[str, str]


def attribute(order: Order, say: Callable[[str], None]) -> Answer:
    """Maps of every image by every method. What a method refuses is noted with its reason, and the others go on.

    Args:
        order: what is asked for.
        say: told what is being done.

    Raises:
        UsageError: an unknown network, class or method, or options that do not go together.
        InputError: a file that is not what it should be.
    """
    tools = [(name, TOOLS.make(base(name), own_settings(name))) for name in order.methods]
    network, how = classifier(order)
    pictures = [picture(path, how) for path in order.images]
    pixels = np.stack([picture for picture, _ in pictures])
    references = None if order.references is None else folder_of("--references", order.references, how, MOST)
    images = from_uint8(pixels)
    likely = network.predict(images)
    targets = likely.argmax(1)
    if order.target is not None:
        targets = torch.full_like(targets, class_of(network, order.target))
    attempts = []
    for name, tool in tools:
        say(f"{name}, {len(images)} {'image' if len(images) == 1 else 'images'}")
        attempts.append(_tried(name, tool, (network, images, targets), references, order.seed))
    return Answer(
        network=network.name,
        classes=tuple(network.classes),
        subjects=tuple(
            own_maps.Subject(
                name=str(path),
                notes=notes,
                pixels=pixels[index],
                target=int(targets[index]),
                label=network.classes[int(targets[index])],
                probability=float(likely[index, targets[index]]),
                likely=tuple(
                    (network.classes[int(at)], float(likely[index, at])) for at in likely[index].topk(_few(network))[1]
                ),
            )
            for index, (path, (_, notes)) in enumerate(zip(order.images, pictures, strict=True))
        ),
        attempts=tuple(attempts),
        facts=_facts(order, network, how, 0 if references is None else len(references)),
    )


def _few(network: Classifier) -> int:
    return min(LIKELY, len(network.classes))


def _tried(
    name: str,
    tool: Attribution,
    about: tuple[Classifier, torch.Tensor, torch.Tensor],
    references: torch.Tensor | None,
    seed: int,
) -> own_maps.Attempt:
    row = TOOLS[base(name)]
    told: dict[str, Any] = {"name": name, "source": row.source, "settings": tool.settings, "floor": row.floor}
    network, images, targets = about

    def explain(n: int) -> Maps:
        return tool(network, images[:n], targets[:n], references=references, seed=seed)

    try:
        precision = decide(tool, network, explain, len(images))
        with network.perturbing_in(precision.used):
            made = explain(len(images))
    except GifthorseError as refusal:
        reason = f"{refusal.cause}; try: {refusal.remedy}".replace("references=images", "--references FOLDER")
        return own_maps.Attempt(**told, maps=None, refusal=reason)
    cost = made.cost
    return own_maps.Attempt(
        **told,
        maps=made.values.numpy(),
        notes=(words.precision(precision), *made.hints),
        seconds=cost.seconds,
        forward=cost.forward,
        backward=cost.backward,
    )


def _facts(order: Order, network: Classifier, how: Preset, references: int) -> dict[str, str]:
    return facts(order, network, how) | {
        "explained": (
            "the likeliest class of each image" if order.target is None else f"the class {order.target}, as asked"
        ),
        "references": f"{references} images of {order.references.name}" if order.references else "none given",
        "seed": str(order.seed),
    }


def write(answer: Answer, out: Path, arrays: Path | None) -> None:
    """Write the page, and the raw arrays where they are asked for; each file is whole or not there.

    The arrays: ``images`` ``(N, 3, size, size)`` uint8, ``targets`` ``(N,)`` int64, and for each method that gave some
    its maps under its name, ``(N, size, size)`` float32, as the method returned them.
    """
    whole(out, lambda path: path.write_text(own_maps.draw(answer.subjects, answer.attempts, answer.facts), "utf-8"))
    if arrays is None:
        return
    kept: dict[str, Any] = {attempt.name: attempt.maps for attempt in answer.attempts if attempt.maps is not None}
    kept["images"] = np.stack([subject.pixels for subject in answer.subjects])
    kept["targets"] = np.array([subject.target for subject in answer.subjects])

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **kept)

    whole(arrays, save)


def document(answer: Answer) -> dict[str, Any]:
    """The answer as JSON values."""
    return {
        "network": answer.network,
        "facts": answer.facts,
        "images": [
            {
                "file": s.name,
                "target": s.target,
                "class": s.label,
                "probability": s.probability,
                "likely": [list(pair) for pair in s.likely],
                "notes": list(s.notes),
            }
            for s in answer.subjects
        ],
        "methods": [
            {
                "name": a.name,
                "settings": a.settings,
                "status": "done" if a.maps is not None else "refused",
                "error": a.refusal or None,
                "seconds": a.seconds,
                "forward": a.forward,
                "backward": a.backward,
                "notes": list(a.notes),
                "maps": [] if a.maps is None else _ranges(a.maps),
            }
            for a in answer.attempts
        ],
    }


def _ranges(maps: np.ndarray) -> Sequence[dict[str, Any]]:
    flat = heat.constant(maps)
    return [
        {"low": float(m.min()), "high": float(m.max()), "scale": float(own_scale(m)), "constant": bool(still)}
        for m, still in zip(maps, flat, strict=True)
    ]
