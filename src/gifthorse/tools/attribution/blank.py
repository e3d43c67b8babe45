"""Blank map: a floor."""

from __future__ import annotations

from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained


class Blank(Attribution):
    """Zero everywhere: the "blank guess" that most methods lost to under the L1 distance (an early figure of the
    thesis's repository). Its correlation with a mask is undefined, and judges say so.
    """

    def _explain(self, explained: Explained) -> Tensor:
        n, _, height, width = explained.images.shape
        return explained.images.new_zeros(n, height, width)
