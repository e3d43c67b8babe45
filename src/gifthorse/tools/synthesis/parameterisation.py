"""What is optimised: parameters of ``n`` pictures at once, and the pictures that they stand for.

The first axis of every parameter is the finding, so that an optimiser that works element by element, as Adam does,
treats each finding as if it were alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from gifthorse.images import opaque

COMPOSITE = (0.67, 0.6)
"""Divisors of atan(x) and atan(x)^2 in Lucent's composite activation: both halves then have about unit variance."""


class Parameterisation(ABC):
    """Pictures as a function of parameters.

    Attributes:
        parameters: tensors whose first axis has length n.
    """

    parameters: list[Tensor]

    @abstractmethod
    def pictures(self) -> Tensor:
        """``(n, 4, h, w)`` in [0, 1], straight alpha; differentiable in the parameters."""


class Pixels(Parameterisation):
    """Each pixel is the sigmoid of a parameter of its own, drawn from N(0, ``deviation``); alpha is one."""

    def __init__(self, side: int, deviation: float, generators: Sequence[torch.Generator], device: str) -> None:
        drawn = torch.stack([torch.randn(3, side, side, generator=g) for g in generators])
        self.parameters = [(drawn * deviation).to(device).requires_grad_()]

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        return opaque(torch.sigmoid(self.parameters[0]))


class Cppn(Parameterisation):
    """Each picture is a small network of its own from a pixel's coordinates to its colour.

    Mordvintsev et al. 2018, "Differentiable Image Parameterizations"; layers, widths, activation, initial values and
    coordinates as in Lucent's ``cppn`` (commit 6123386): 1x1 convolutions with biases, weights from N(0, 1/inputs),
    biases 0, activation [atan(x) / 0.67, atan(x)^2 / 0.6], sigmoid, coordinates from -sqrt(3) to sqrt(3).
    Differs from it in that n networks are one batch of matrix products.

    Args:
        resolution: side of the pictures in pixels; coordinates always span the same square.
        last: factor of the last layer's first weights; Lucent's 0 makes every picture begin grey.
    """

    def __init__(
        self,
        resolution: int,
        generators: Sequence[torch.Generator],
        device: str,
        layers: int = 8,
        hidden: int = 24,
        last: float = 0.0,
    ) -> None:
        n = len(generators)
        inputs = [2] + [2 * hidden] * (layers - 1)
        outputs = [hidden] * (layers - 1) + [3]
        weights = [
            torch.stack([torch.randn(i, o, generator=g) for g in generators]) / math.sqrt(i)
            for i, o in zip(inputs, outputs, strict=True)
        ]
        weights[-1] *= last
        biases = [torch.zeros(n, 1, o) for o in outputs]
        self._weights = [w.to(device).requires_grad_() for w in weights]
        self._biases = [b.to(device).requires_grad_() for b in biases]
        self.parameters = [*self._weights, *self._biases]
        self.resolution = resolution
        line = torch.linspace(-math.sqrt(3), math.sqrt(3), resolution, device=device)
        # Lucent's first coordinate runs down the rows
        self._coordinates = torch.cartesian_prod(line, line)[None].expand(n, -1, -1)  # (n, P, 2)

    def pictures(self) -> Tensor:
        """``(n, 4, resolution, resolution)``."""
        first, *rest = zip(self._weights, self._biases, strict=True)
        x = torch.baddbmm(first[1], self._coordinates, first[0])  # (n, P, hidden)
        for weight, bias in rest:
            x = torch.atan(x)
            odd, even = weight.chunk(2, dim=1)
            # two products instead of one on the concatenation: a third less memory traffic, the same sum
            x = torch.baddbmm(torch.baddbmm(bias, x, odd / COMPOSITE[0]), x * x, even / COMPOSITE[1])
        colours = torch.sigmoid(x).transpose(1, 2)
        return opaque(colours.reshape(len(x), 3, self.resolution, self.resolution))
