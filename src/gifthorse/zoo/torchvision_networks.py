"""Classifiers of torchvision by its own names, with weights from a local file: nothing is ever downloaded.

How images are resized, cropped and normalised is what torchvision publishes for the architecture's default weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision.models as published
from torch import nn

from gifthorse import checkpoints
from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.zoo import imagenet_classes

OUTPUTS = 1000
"""Classes of every published classifier (ImageNet-1k)."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How images become the network's input.

    Attributes:
        size: side of the centre crop in pixels.
        resize: length of the shorter side before the crop.
        filter_name: ``nearest``, ``bilinear`` or ``bicubic``.
        mean, std: of the normalisation, RGB in [0, 1].
    """

    size: int
    resize: int
    filter_name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def names() -> tuple[str, ...]:
    """Every classifier of torchvision."""
    return tuple(published.list_models(module=published))


def preset(name: str) -> Preset:
    """What torchvision publishes for an architecture.

    Raises:
        UsageError: no such name.
    """
    if name not in names():
        raise UsageError(f"torchvision has no classifier {name!r}", nearest(name, names()))
    made = published.get_model_weights(name)["DEFAULT"].transforms()
    return Preset(
        size=int(made.crop_size[0]),
        resize=int(made.resize_size[0]),
        filter_name=str(made.interpolation.value),
        mean=tuple(map(float, made.mean)),
        std=tuple(map(float, made.std)),
    )


def load(name: str, weights: Path, how: Preset, *, classes: Sequence[str] | None = None, **ground: Any) -> Classifier:
    """A classifier with the weights of a file; it has as many outputs as the file's last layer.

    Args:
        name: of torchvision.
        weights: safetensors, or a ``state_dict`` of ``torch.save``, read without unpickling anything else.
        how: size and normalisation.
        classes: names by index; ImageNet's for a thousand outputs, otherwise ``class 0`` and so on.
        ground: ``device`` and ``precision``, as :class:`Classifier` takes them.

    Raises:
        UsageError: no such name.
        InputError: another number of class names than of outputs.
        HostileFile: the file is no checkpoint, or not of this network.
    """
    count = _outputs(name, checkpoints.weights(weights), how)
    if classes is None:
        classes = imagenet_classes.names() if count == OUTPUTS else [f"class {index}" for index in range(count)]
    if len(classes) != count:
        raise InputError(
            f"there are {len(classes)} class names, and {weights} is of a network with {count} outputs",
            "give one name a line, in the order of the outputs",
        )
    module = _module(name, count, how)
    checkpoints.load_into(module, weights)
    return Classifier(module, classes=classes, size=how.size, mean=how.mean, std=how.std, name=name, **ground)


def _module(name: str, outputs: int, how: Preset) -> nn.Module:
    more: dict[str, Any] = {}
    if name.startswith("vit_"):
        more["image_size"] = how.size
    if name in ("googlenet", "inception_v3"):
        more["init_weights"] = False
    with torch.random.fork_rng(devices=[]):
        made: nn.Module = published.get_model(name, weights=None, num_classes=outputs, **more)
    return made


def _outputs(name: str, found: Mapping[str, torch.Tensor], how: Preset) -> int:
    """How many outputs the network has that a checkpoint is of: the length of its last layer's last tensor."""
    with torch.device("meta"):
        wanted = _module(name, OUTPUTS, how).state_dict()
    heads = [key for key, tensor in wanted.items() if tensor.ndim and tensor.shape[0] == OUTPUTS and key in found]
    return int(found[heads[-1]].shape[0]) if heads and found[heads[-1]].ndim else OUTPUTS
