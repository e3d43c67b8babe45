"""Edge detector: a floor that looks at no network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.images import LUMA
from gifthorse.tools.attribution.base import Attribution, Explained


class EdgesSobel(Attribution):
    """Sobel magnitude of the image's brightness: the edge detector that thesis 4.2 compares every method with.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps", show that maps can look like one. Neither says which
    detector: this one is the root of the sum of squared horizontal and vertical Sobel filters (weights divided by 8,
    so that a unit ramp gives 1), borders replicated; our choice.
    """

    def _explain(self, explained: Explained) -> Tensor:
        images = explained.images
        grey = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        across = images.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
        filters = torch.stack([across, across.T])[:, None]
        slopes = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), filters)
        return slopes.square().sum(1).sqrt()
