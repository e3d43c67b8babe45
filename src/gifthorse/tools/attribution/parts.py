"""The steps of a network that are no modules in PyTorch, as modules, so that a rule can be given for each."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Addition(nn.Module):
    """Sum of two signals, as at the end of a residual block."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Two tensors of shapes that broadcast, to their sum."""
        return one + other


class Product(nn.Module):
    """Product of two signals, element by element, as in squeeze and excitation."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Two tensors of shapes that broadcast, to their product."""
        return one * other


class Scale(nn.Module):
    """A signal times what does not depend on the image."""

    def forward(self, signal: Tensor, by: Tensor | float) -> Tensor:
        """A tensor and a constant that broadcasts to it, to their product."""
        return signal * by


class Shift(nn.Module):
    """A signal plus what does not depend on the image."""

    def forward(self, signal: Tensor, by: Tensor | float) -> Tensor:
        """A tensor and a constant that broadcasts to it, to their sum."""
        return signal + by


class Mean(nn.Module):
    """Mean over some dimensions.

    Args:
        dimensions: that are averaged over; never the batch.
        keep: whether they stay, with length 1.
    """

    def __init__(self, dimensions: Sequence[int], keep: bool) -> None:
        super().__init__()
        self.dimensions = tuple(dimensions)
        self.keep = keep

    def forward(self, signal: Tensor) -> Tensor:
        """A tensor to its mean."""
        return signal.mean(self.dimensions, keepdim=self.keep)
