"""Classifiers of the emoji world, small enough to train on two cores and to ship."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError
from gifthorse.zoo.world import EMOJI

WEIGHTS = Path(__file__).parent / "weights"
"""Where shipped weights are."""

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIZE = 64
COLOURS = 3


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut (He et al. 2016, Fig. 2), with a ReLU module for each use."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H / stride, W / stride)``."""
        out = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        summed: Tensor = self.relu2(out + self.shortcut(x))
        return summed


class ResNet(nn.Module):
    """A residual network: a stem of stride 2, blocks of stride 2, average pooling, a linear head.

    Args:
        classes: number of logits.
        stem: channels after the first convolution.
        widths: channels of each block; the last is the number of penultimate features, ReLU before pooling.
    """

    def __init__(self, classes: int, stem: int = 32, widths: tuple[int, ...] = (64, 128)) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, stem, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU()
        inputs = (stem, *widths[:-1])
        self.blocks = nn.Sequential(*(Block(a, b, 2) for a, b in zip(inputs, widths, strict=True)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` normalised to logits ``(N, classes)``."""
        x = self.blocks(self.relu(self.norm(self.conv(images))))
        logits: Tensor = self.head(self.flatten(self.pool(x)))
        return logits


class VGG(nn.Module):
    """Plain stages of 3 x 3 convolutions with BatchNorm, all but the last ended by a 2 x 2 maximum (Simonyan and
    Zisserman 2015, ours in size; the first convolution has stride 2), then average pooling and a linear head.

    Args:
        classes: number of logits.
        widths: channels of the convolutions, a tuple a stage; the last is the number of penultimate features.
    """

    def __init__(self, classes: int, widths: tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        inputs, stages = COLOURS, []
        for number, stage in enumerate(widths):
            layers: list[nn.Module] = []
            for outputs in stage:
                stride = 2 if inputs == COLOURS else 1
                layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
            if number + 1 < len(widths):
                layers.append(nn.MaxPool2d(2))
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` normalised to logits ``(N, classes)``."""
        logits: Tensor = self.head(self.flatten(self.pool(self.stages(images))))
        return logits


@dataclass(frozen=True, kw_only=True)
class EmojiNetwork(ABC):
    """A small classifier of the emoji world's 64 x 64 scenes."""

    name: ClassVar[str]
    """Its row in the zoo, and what its shipped weights are called."""

    @abstractmethod
    def module(self, classes: int) -> nn.Module:
        """The bare network, randomly initialised from torch's global generator."""

    def template(
        self, classes: Sequence[str] | None = None, *, device: str = "auto", precision: str = "auto"
    ) -> Classifier:
        """The same classifier untrained.

        Args:
            classes: names by class index; those of the emoji world where none are given.
            device: ``auto`` or a device.
            precision: ``auto``, ``float32`` or ``bfloat16``.
        """
        names = _names() if classes is None else tuple(classes)
        return self._wrap(self.module(len(names)), names, device, precision)

    def load(self, weights: Path | None = None, *, device: str = "auto", precision: str = "auto") -> Classifier:
        """The classifier of the emoji world with trained weights.

        Args:
            weights: a safetensors file; the shipped one where none is given.
            device: ``auto`` or a device.
            precision: ``auto``, ``float32`` or ``bfloat16``.

        Raises:
            InputError: the file is missing or holds another network.
        """
        module = self.module(len(_names()))
        fill(module, weights or WEIGHTS / f"{self.name}.safetensors")
        return self._wrap(module, _names(), device, precision)

    def _wrap(self, module: nn.Module, classes: tuple[str, ...], device: str, precision: str) -> Classifier:
        return Classifier(
            module,
            classes=classes,
            size=SIZE,
            mean=MEAN,
            std=STD,
            name=self.name,
            device=device,
            precision=precision,
        )


@dataclass(frozen=True, kw_only=True)
class EmojiResNet(EmojiNetwork):
    """A residual network with 128 penultimate features.

    Attributes:
        stem: channels after the first convolution.
        widths: channels of each block.
    """

    name: ClassVar[str] = "emoji-resnet"

    stem: int = 24
    widths: tuple[int, ...] = (48, 128)

    def module(self, classes: int) -> ResNet:
        """The bare network, randomly initialised from torch's global generator."""
        return ResNet(classes, self.stem, self.widths)


@dataclass(frozen=True, kw_only=True)
class EmojiVGG(EmojiNetwork):
    """A plain convolutional network with 128 penultimate features.

    Attributes:
        widths: channels of the convolutions of each stage.
    """

    name: ClassVar[str] = "emoji-vgg"

    widths: tuple[tuple[int, ...], ...] = ((24,), (48, 64), (96, 128))

    def module(self, classes: int) -> VGG:
        """The bare network, randomly initialised from torch's global generator."""
        return VGG(classes, self.widths)


def _names() -> tuple[str, ...]:
    return tuple(thing.name for thing in EMOJI.classes)


def fill(module: nn.Module, path: Path) -> None:
    """Trained weights into a module.

    Raises:
        InputError: the file is missing, is no safetensors file, or its names or shapes are another network's.
    """
    try:
        state = load_file(path)
        floats = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
        module.load_state_dict(floats)
    except FileNotFoundError:
        raise InputError(f"the weights {path.name} are not there", "scripts/train-zoo makes them") from None
    except (SafetensorError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"{path.name} does not hold this network: {said}", "weights of the same architecture"
        ) from None
