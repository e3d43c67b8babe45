"""Centre: a floor that looks at nothing but the size of the image."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained


class Centre(Attribution):
    """A Gaussian bump in the middle of every image: what a method gains from triggers or objects being central.

    Attributes:
        width: standard deviation as a share of the side. A quarter is our choice.
    """

    width: float = 0.25

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise UsageError(f"width is {self.width}", "a share of the side, above 0")

    def _explain(self, explained: Explained) -> Tensor:
        n, _, height, width = explained.images.shape
        rows = (torch.arange(height) + 0.5) / height - 0.5
        columns = (torch.arange(width) + 0.5) / width - 0.5
        distance = rows[:, None] ** 2 + columns[None, :] ** 2
        return torch.exp(-distance / (2 * self.width**2)).expand(n, height, width)
