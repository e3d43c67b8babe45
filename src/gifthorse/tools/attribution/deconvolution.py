"""Deconvolution."""

from __future__ import annotations

from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels
from gifthorse.tools.attribution.rectified import deconvolved, rectifying, through_rectifiers


class Deconvolution(Attribution):
    """The target logit, handed down through the transposed layers, with a ReLU on the way down at every ReLU.

    Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks", section 2.1; maxima go back to where
    they came from. Differs from the paper in that it starts at a logit, as in Simonyan et al. 2013, section 4. Our own,
    on a prepared copy of the network, since Captum's hooks fail at ReLUs that are in place or are functions. ReLU6
    counts as a ReLU; other activations keep their gradient (our choice), and a network with none but these is refused.
    One forward and one backward pass an image.

    Attributes:
        sign: ``absolute`` (our choice, as for saliency: the thesis says neither), ``signed`` or ``positive``.
        channels: ``max`` (our choice, as for saliency), ``mean`` or ``sum``.
    """

    needs = frozenset({"gradients"})

    sign: str = "absolute"
    channels: str = "max"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        network = rectifying(explained, "deconvolution")
        return reduce_channels(through_rectifiers(explained, network, deconvolved), self.sign, self.channels)
