"""Random map: a floor."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained


class NoiseMap(Attribution):
    """Uniform white noise in [0, 1): the score of a map that knows nothing. A new seed gives other maps."""

    def _explain(self, explained: Explained) -> Tensor:
        shape = explained.images.shape[-2:]
        return torch.stack([torch.rand(shape, generator=g) for g in explained.generators])
