"""Maps for anyone's own network and images: load, frame, explain, draw. No run folder, no trojans, no score."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gifthorse import gates, heat
from gifthorse.classifier import Classifier
from gifthorse.errors import GifthorseError, HostileFile, InputError, UsageError, nearest
from gifthorse.images import from_uint8
from gifthorse.registry import base, own_settings
from gifthorse.report import own_maps, words
from gifthorse.report.pictures import own_scale
from gifthorse.stages.precision import decide
from gifthorse.tools import TOOLS
from gifthorse.tools.attribution.base import Attribution, Maps
from gifthorse.zoo import NETWORKS, torchvision_networks
from gifthorse.zoo.folder import SUFFIXES
from gifthorse.zoo.framing import framed
from gifthorse.zoo.torchvision_networks import Preset

MOST = 64
"""Reference images that are read: the first ones by path. Baselines and pools hardly change with more (our choice)."""

LIKELY = 3
"""Classes named for each image, the likeliest first."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        net: a name of the zoo or of torchvision.
        images: picture files.
        methods: attribution tools, each with the settings of its own that it may have.
        weights: of the network; None for the zoo's own.
        classes: text file of class names, one a line, for networks of torchvision.
        size, resize: of the crop and of the shorter side before it; None for the network's own.
        target: class name or index; None for each image's likeliest class.
        references: folder of clean images, for methods that need some.
        seed: of every draw.
        device: ``auto`` or a device.
    """

    net: str
    images: tuple[Path, ...]
    methods: tuple[str, ...]
    weights: Path | None = None
    classes: Path | None = None
    size: int | None = None
    resize: int | None = None
    target: str | None = None
    references: Path | None = None
    seed: int = 0
    device: str = "auto"


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
    pictures = [_read(path, how) for path in order.images]
    pixels = np.stack([picture for picture, _ in pictures])
    references = None if order.references is None else _references(order.references, how)
    images = from_uint8(pixels)
    likely = network.predict(images)
    targets = _targets(order.target, network, likely)
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


def classifier(order: Order) -> tuple[Classifier, Preset]:
    """The network, and how images become its input.

    Raises:
        UsageError: an unknown name, or options that do not go together.
        InputError, HostileFile: a file that is not what it should be.
    """
    if order.net in NETWORKS:
        if order.classes is not None:
            raise UsageError(f"{order.net} has class names of its own", "leave --classes out")
        entry = NETWORKS.make(order.net)
        network = entry.load(order.weights, device=order.device)
        how = Preset(
            size=network.size,
            resize=getattr(entry, "resize", network.size),
            filter_name="bicubic",
            mean=tuple(network.mean),
            std=tuple(network.std),
        )
        if order.size not in (None, network.size):
            raise UsageError(f"{order.net} takes {network.size} pixels, not {order.size}", "leave --size out")
        return network, _resized(how, None, order.resize)
    if order.net not in torchvision_networks.names():
        valid = [*NETWORKS, *torchvision_networks.names()]
        raise UsageError(f"there is no network called {order.net!r}", nearest(order.net, valid))
    if order.weights is None:
        raise UsageError(
            f"{order.net} needs weights, and nothing is downloaded",
            f"--net {order.net} --weights FILE, safetensors or a state_dict of torch.save",
        )
    how = _resized(torchvision_networks.preset(order.net), order.size, order.resize)
    names = None if order.classes is None else _names(order.classes)
    return torchvision_networks.load(order.net, order.weights, how, classes=names, device=order.device), how


def _resized(how: Preset, size: int | None, resize: int | None) -> Preset:
    """A preset with another crop, of which the shorter side keeps its proportion where it is not given."""
    crop = size or how.size
    shorter = resize or round(how.resize * crop / how.size)
    if not 1 <= crop <= shorter:
        raise UsageError(
            f"a crop of {crop} pixels does not fit into a shorter side of {shorter}", "let --resize be at least --size"
        )
    return Preset(size=crop, resize=shorter, filter_name=how.filter_name, mean=how.mean, std=how.std)


def _names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "give a text file, one class name a line"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text: {error}", "give a text file in UTF-8, one class name a line") from None
    return [line.strip() for line in lines if line.strip()]


def _read(path: Path, how: Preset) -> tuple[np.ndarray, tuple[str, ...]]:
    let_in = gates.image(path)
    return framed(let_in.pixels, how.size, how.resize, how.filter_name), let_in.notes


def _references(folder: Path, how: Preset) -> torch.Tensor:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "--references FOLDER of JPEG, PNG or WebP images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    found: list[np.ndarray] = []
    for path in paths:
        if len(found) == MOST:
            break
        try:
            found.append(_read(path, how)[0])
        except HostileFile:
            continue  # as in a dataset of photographs: what is no image is left out
    if not found:
        raise InputError(f"{folder} holds no image", "--references FOLDER of JPEG, PNG or WebP images")
    return from_uint8(np.stack(found))


def _targets(wanted: str | None, network: Classifier, likely: torch.Tensor) -> torch.Tensor:
    if wanted is None:
        return likely.argmax(1)
    names = list(network.classes)
    if wanted in names:
        index = names.index(wanted)
    elif wanted.isdecimal() and int(wanted) < len(names):
        index = int(wanted)
    else:
        raise UsageError(f"{network.name} has no class {wanted!r}", nearest(wanted, names))
    return torch.full((len(likely),), index)


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
    came = "its own weights" if order.weights is None else order.weights.name
    return {
        "network": f"{network.name}, {came}, {len(network.classes)} classes",
        "images": (
            f"shorter side resized to {how.resize} pixels ({how.filter_name}), the middle {how.size} x {how.size} "
            "cut out; what lies outside is not seen by the network"
        ),
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
    _whole(out, lambda path: path.write_text(own_maps.draw(answer.subjects, answer.attempts, answer.facts), "utf-8"))
    if arrays is None:
        return
    kept: dict[str, Any] = {attempt.name: attempt.maps for attempt in answer.attempts if attempt.maps is not None}
    kept["images"] = np.stack([subject.pixels for subject in answer.subjects])
    kept["targets"] = np.array([subject.target for subject in answer.subjects])

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **kept)

    _whole(arrays, save)


def _whole(out: Path, make: Callable[[Path], Any]) -> None:
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        temporary.replace(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}", "give a place that can be written") from None
    finally:
        temporary.unlink(missing_ok=True)


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
