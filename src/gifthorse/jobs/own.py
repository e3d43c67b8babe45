"""Anyone's own network and pictures: what the verbs for them have in common. No run folder, no trojans."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gifthorse import gates
from gifthorse.classifier import Classifier
from gifthorse.errors import HostileFile, InputError, UsageError, nearest
from gifthorse.images import from_uint8
from gifthorse.zoo import NETWORKS, torchvision_networks
from gifthorse.zoo.folder import SUFFIXES
from gifthorse.zoo.framing import framed
from gifthorse.zoo.torchvision_networks import Preset


@dataclass(frozen=True, kw_only=True)
class Own:
    """What is asked about one's own network.

    Attributes:
        net: a name of the zoo or of torchvision.
        weights: of the network; None for the zoo's own.
        classes: text file of class names, one a line, for networks of torchvision.
        size, resize: of the crop and of the shorter side before it; None for the network's own.
        seed: of every draw.
        device: ``auto`` or a device.
        precision: ``auto``, ``float32`` or ``bfloat16``.
    """

    net: str
    weights: Path | None = None
    classes: Path | None = None
    size: int | None = None
    resize: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"


def classifier(order: Own) -> tuple[Classifier, Preset]:
    """The network, and how images become its input.

    Raises:
        UsageError: an unknown name, or options that do not go together.
        InputError, HostileFile: a file that is not what it should be.
    """
    if order.net in NETWORKS:
        if order.classes is not None:
            raise UsageError(f"{order.net} has class names of its own", "leave --classes out")
        entry = NETWORKS.make(order.net)
        network = entry.load(order.weights, device=order.device, precision=order.precision)
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
    ground = {"device": order.device, "precision": order.precision}
    return torchvision_networks.load(order.net, order.weights, how, classes=names, **ground), how


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


def picture(path: Path, how: Preset) -> tuple[np.ndarray, tuple[str, ...]]:
    """One image file as the network is given it, ``(3, size, size)`` uint8, and what was changed when it was read.

    Raises:
        HostileFile: it is no image that is let in.
    """
    let_in = gates.image(path)
    return framed(let_in.pixels, how.size, how.resize, how.filter_name), let_in.notes


def folder_of(option: str, folder: Path, how: Preset, most: int) -> torch.Tensor:
    """The first ``most`` images of a folder by path, ``(N, 3, size, size)`` in [0, 1]; what is no image is left out.

    Args:
        option: that named the folder.

    Raises:
        InputError: there is no folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", f"{option} FOLDER of JPEG, PNG or WebP images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    found: list[np.ndarray] = []
    for path in paths:
        if len(found) == most:
            break
        try:
            found.append(picture(path, how)[0])
        except HostileFile:
            continue  # as in a dataset of photographs: what is no image is left out
    if not found:
        raise InputError(f"{folder} holds no image", f"{option} FOLDER of JPEG, PNG or WebP images")
    return from_uint8(np.stack(found))


def class_of(network: Classifier, wanted: str) -> int:
    """Index of a class that is given by name or index.

    Raises:
        UsageError: there is none.
    """
    names = list(network.classes)
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise UsageError(f"{network.name} has no class {wanted!r}", nearest(wanted, names))


def facts(order: Own, network: Classifier, how: Preset) -> dict[str, str]:
    """The network, and how images become its input, in words."""
    came = "its own weights" if order.weights is None else order.weights.name
    return {
        "network": f"{network.name}, {came}, {len(network.classes)} classes, {network.precision} on {network.device}",
        "images": (
            f"shorter side resized to {how.resize} pixels ({how.filter_name}), the middle {how.size} x {how.size} "
            "cut out; what lies outside is not seen by the network"
        ),
    }


def whole(out: Path, make: Callable[[Path], Any]) -> None:
    """Make a file that is whole or not there.

    Raises:
        InputError: it cannot be written.
    """
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        temporary.replace(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}", "give a place that can be written") from None
    finally:
        temporary.unlink(missing_ok=True)
