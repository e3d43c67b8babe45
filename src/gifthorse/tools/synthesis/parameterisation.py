"""What is optimised: parameters of ``n`` pictures at once, and the pictures that they stand for.

The first axis of every parameter is the finding, so that an optimiser that works element by element, as Adam does,
treats each finding as if it were alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gifthorse.classifier import MEMORY
from gifthorse.images import opaque, resize
from gifthorse.recomputing import fitting, in_parts

COMPOSITE = (0.67, 0.6)
"""Divisors of atan(x) and atan(x)^2 in Lucent's composite activation: both halves then have about unit variance."""

TOGETHER = 8 << 20
"""Bytes that a layer of CPPNs puts out at once: the allocator gives blocks of over 32 MiB back to the system and has
every page of them mapped anew at each step, which at 224 pixels took longer than all the arithmetic."""

KEPT = 4
"""As often as what a layer of a CPPN puts out is in memory for its gradient: itself, its arc tangent, its square, and
what comes back."""


class Parameterisation(ABC):
    """Pictures as a function of parameters.

    Attributes:
        parameters: tensors whose first axis has length n, or, where findings share them, another.
        rates: factor of the learning rate of each parameter; none at all is 1 for all of them.
        solid: whether every alpha is one, always.
    """

    parameters: list[Tensor]
    rates: tuple[float, ...] = ()
    solid: bool = False

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """What Adam is given: each parameter with its learning rate."""
        factors = self.rates or (1.0,) * len(self.parameters)
        return [{"params": [p], "lr": rate * factor} for p, factor in zip(self.parameters, factors, strict=True)]

    @abstractmethod
    def pictures(self) -> Tensor:
        """``(n, 4, h, w)`` in [0, 1], straight alpha; differentiable in the parameters."""


class Pixels(Parameterisation):
    """Each pixel is the sigmoid of a parameter of its own, drawn from N(0, ``deviation``); alpha is one."""

    solid = True

    def __init__(self, side: int, deviation: float, generators: Sequence[torch.Generator], device: str) -> None:
        drawn = torch.stack([torch.randn(3, side, side, generator=g) for g in generators])
        self.parameters = [(drawn * deviation).to(device).requires_grad_()]

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        return opaque(torch.sigmoid(self.parameters[0]))


class MaskAndPattern(Parameterisation):
    """A pattern that a mask lets through: alpha is the mask. Both are (tanh + 1) / 2 of their parameters.

    Wang et al. 2019 (Neural Cleanse) and Guo et al. 2019 (TABOR); both begin uniform in [0, 1], as in TABOR's code.

    Args:
        side: of the pictures in pixels.
        cells: of the mask and of the pattern, along a side: they are enlarged (``side`` is as published).
        opacity: where it is given, the mask is this value everywhere, and does not change.
    """

    def __init__(
        self,
        side: int,
        generators: Sequence[torch.Generator],
        device: str,
        cells: tuple[int, int],
        opacity: float | None = None,
    ) -> None:
        few, many = cells
        drawn = [(torch.rand(1, few, few, generator=g), torch.rand(3, many, many, generator=g)) for g in generators]
        mask, pattern = (torch.stack(parts).clamp(0.02, 0.98) for parts in zip(*drawn, strict=True))
        self._mask, self._pattern = ((torch.logit(x) / 2).to(device).requires_grad_() for x in (mask, pattern))
        self.parameters = [self._pattern] if opacity is not None else [self._mask, self._pattern]
        self._side, self._opacity = side, opacity

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        pattern = resize((torch.tanh(self._pattern) + 1) / 2, self._side)
        if self._opacity is not None:
            return torch.cat([pattern, torch.full_like(pattern[:, :1], self._opacity)], 1)
        return torch.cat([pattern, resize((torch.tanh(self._mask) + 1) / 2, self._side)], 1)


class Layers(NamedTuple):
    """Of a small network that draws.

    Attributes:
        depth: how many there are, the last one included.
        hidden: what each but the last puts out, before its activation doubles it.
        last: factor of the last layer's first weights; Lucent's 0 makes every picture begin grey.
    """

    depth: int = 8
    hidden: int = 24
    last: float = 0.0


LUCENT = Layers()
"""Those of its ``cppn``."""


class Cppn(Parameterisation):
    """Each picture is a small network of its own from a pixel's coordinates to its colour.

    Mordvintsev et al. 2018, "Differentiable Image Parameterizations"; layers, widths, activation, initial values and
    coordinates as in Lucent's ``cppn`` (commit 6123386): 1x1 convolutions with biases, weights from N(0, 1/inputs),
    biases 0, activation [atan(x) / 0.67, atan(x)^2 / 0.6], sigmoid, coordinates from -sqrt(3) to sqrt(3).
    Differs from it in that n networks are one batch of matrix products.

    Args:
        resolution: side of the pictures in pixels; coordinates always span the same square.
        memory: bytes that the pictures' gradients may take; where n pictures take more, they are drawn in parts, and
            drawn again when their gradients are wanted.
    """

    solid = True

    def __init__(
        self,
        resolution: int,
        generators: Sequence[torch.Generator],
        device: str,
        layers: Layers = LUCENT,
        memory: int = MEMORY,
    ) -> None:
        n, (depth, hidden, last) = len(generators), layers
        inputs = [2] + [2 * hidden] * (depth - 1)
        outputs = [hidden] * (depth - 1) + [3]
        weights = [
            torch.stack([torch.randn(i, o, generator=g) for g in generators]) / math.sqrt(i)
            for i, o in zip(inputs, outputs, strict=True)
        ]
        weights[-1] *= last
        biases = [torch.zeros(n, 1, o) for o in outputs]
        self._weights = [w.to(device).requires_grad_() for w in weights]
        self._biases = [b.to(device).requires_grad_() for b in biases]
        self.parameters = [*self._weights, *self._biases]
        self.resolution, self._memory = resolution, memory
        self._layer = 4 * hidden * resolution**2  # bytes of what a layer of one network puts out
        line = torch.linspace(-math.sqrt(3), math.sqrt(3), resolution, device=device)
        # Lucent's first coordinate runs down the rows
        self._coordinates = torch.cartesian_prod(line, line)[None].expand(n, -1, -1)  # (n, P, 2)

    def pictures(self) -> Tensor:
        """``(n, 4, resolution, resolution)``."""
        n = len(self._coordinates)
        x = in_parts(self._colours, n, fitting(self._memory, KEPT * len(self._weights) * self._layer))
        return opaque(torch.sigmoid(x).transpose(1, 2).reshape(n, 3, self.resolution, self.resolution))

    def _colours(self, some: slice) -> Tensor:
        """Colours before the sigmoid that some of the networks give to every pixel: ``(networks, P, 3)``."""
        together = fitting(TOGETHER, self._layer)
        parts = range(some.start, some.stop, together)
        return torch.cat([self._together(slice(start, min(start + together, some.stop))) for start in parts])

    def _together(self, some: slice) -> Tensor:
        """As :meth:`_colours`, in one product a layer."""
        first, *rest = ((weight[some], bias[some]) for weight, bias in zip(self._weights, self._biases, strict=True))
        x = torch.baddbmm(first[1], self._coordinates[some], first[0])  # (networks, P, hidden)
        for weight, bias in rest:
            x = torch.atan(x)
            odd, even = weight.chunk(2, dim=1)
            # two products instead of one on the concatenation: a third less memory traffic, the same sum
            x = torch.baddbmm(torch.baddbmm(bias, x, odd / COMPOSITE[0]), x * x, even / COMPOSITE[1])
        return x


COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""Square root of the covariance of natural images' colours, columns by size (Lucent's, measured on ImageNet)."""


def correlating(device: str) -> Tensor:
    """``(3, 3)``: from decorrelated colours to RGB before the sigmoid, its largest column of length one."""
    return (COLOURS / COLOURS.square().sum(0).sqrt().max()).to(device)


def frequencies(side: int) -> Tensor:
    """Cycles a pixel of each coefficient of a real transform of ``(side, side)``: ``(side, side // 2 + 1)``."""
    down, across = torch.fft.fftfreq(side), torch.fft.rfftfreq(side)
    found: Tensor = (down[:, None].square() + across[None].square()).sqrt()
    return found


class Fourier(Parameterisation):
    """Each picture is a sum of waves in decorrelated colours, low frequencies first: an image prior that costs nothing.

    Olah et al. 2017; as Lucent's ``fft_image`` and ``to_valid_rgb`` (commit 6123386): real and imaginary parts from
    N(0, deviation), times one over the frequency to the power ``decay``, an orthonormal inverse transform, a quarter of
    it, the colours correlated, a sigmoid.
    """

    solid = True

    def __init__(
        self, side: int, generators: Sequence[torch.Generator], device: str, deviation: float, decay: float
    ) -> None:
        drawn = torch.stack([torch.randn(3, side, side // 2 + 1, 2, generator=g) for g in generators])
        self.parameters = [(drawn * deviation).to(device).requires_grad_()]
        self._scale = (1.0 / frequencies(side).clamp_min(1.0 / side) ** decay).to(device)
        self._colours, self._side = correlating(device), side

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        waves = torch.view_as_complex(self.parameters[0]) * self._scale
        flat = torch.fft.irfft2(waves, s=(self._side, self._side), norm="ortho") / 4
        return opaque(torch.sigmoid(torch.einsum("dc,nchw->ndhw", self._colours, flat)))


class Phase(Parameterisation):
    """Each picture has a given magnitude at every frequency; only its phases, drawn from N(0, 1), are free.

    Fel et al. 2023, equation 3. As in the authors' code (Horama), phases and pictures are standardised before the
    colours are correlated and go through a sigmoid.

    Args:
        magnitudes: ``(3, side, side // 2 + 1)`` in decorrelated colours, see :func:`spectrum`.
    """

    solid = True

    def __init__(self, magnitudes: Tensor, side: int, generators: Sequence[torch.Generator], device: str) -> None:
        drawn = torch.stack([torch.randn(magnitudes.shape, generator=g) for g in generators])
        self.parameters = [drawn.to(device).requires_grad_()]
        self._magnitudes = magnitudes.to(device)
        self._colours, self._side = correlating(device), side

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        phases = _standard(self.parameters[0])
        waves = torch.polar(self._magnitudes.expand_as(phases), phases)
        flat = _standard(torch.fft.irfft2(waves, s=(self._side, self._side), norm="ortho"))
        return opaque(torch.sigmoid(torch.einsum("dc,nchw->ndhw", self._colours, flat)))


def _standard(values: Tensor) -> Tensor:
    """Each of ``(n, ...)`` with mean 0 and standard deviation 1."""
    axes = tuple(range(1, values.ndim))
    return (values - values.mean(axes, keepdim=True)) / (values.std(axes, keepdim=True) + 1e-5)


def spectrum(images: Tensor, side: int) -> Tensor:
    """Mean magnitude of images at each frequency, in decorrelated colours: ``(3, side, side // 2 + 1)``.

    Images are taken back through the sigmoid that pictures come through (from 0.02 to 0.98, beyond which it is flat).

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        side: of the pictures that will have it.
    """
    sized = resize(images, side).clamp(0.02, 0.98)
    flat = torch.einsum("dc,nchw->ndhw", torch.linalg.inv(correlating(str(images.device))), torch.logit(sized))
    found: Tensor = torch.fft.rfft2(flat - flat.mean((2, 3), keepdim=True), norm="ortho").abs().mean(0)
    return found.cpu()
