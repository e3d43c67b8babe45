"""Guided backpropagation."""

from __future__ import annotations

from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels
from gifthorse.tools.attribution.rectified import guided, rectifying, through_rectifiers


class GuidedBackprop(Attribution):
    """The target logit's gradient, of which every ReLU lets through only what is positive and came through it.

    Springenberg et al. 2014, "Striving for Simplicity: The All Convolutional Net", section 3.4. Our own, on a prepared
    copy of the network, since Captum's hooks fail at ReLUs that are in place or are functions. ReLU6 counts as a ReLU,
    open between 0 and 6; other activations keep their gradient (our choice), and a network with none but these is
    refused. One forward and one backward pass an image.

    Attributes:
        sign: ``absolute`` (our choice, as for saliency: the paper shows both signs in colour, the thesis says
            neither), ``signed`` or ``positive``.
        channels: ``max`` (our choice, as for saliency), ``mean`` or ``sum``.
    """

    needs = frozenset({"gradients"})

    sign: str = "absolute"
    channels: str = "max"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        network = rectifying(explained, "guided backpropagation")
        return reduce_channels(through_rectifiers(explained, network, guided), self.sign, self.channels)
