"""Input x gradient."""

from __future__ import annotations

from captum.attr import InputXGradient as CaptumInputXGradient
from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels, through_gradients


class InputXGradient(Attribution):
    """The target logit's gradient with respect to each pixel, times the pixel.

    Shrikumar et al. 2016, "Not Just a Black Box", section 3.2, through Captum's ``InputXGradient``; one forward and one
    backward pass an image. Differs in nothing. The pixel is in [0, 1], so black is the baseline, whatever the
    classifier's own normalisation.

    Attributes:
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: the products add up to the first-order change from black), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients"})

    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        method = CaptumInputXGradient(explained.classifier.view)

        def attribute(images: Tensor, targets: Tensor) -> Tensor:
            values: Tensor = method.attribute(images, target=targets)
            return values

        return reduce_channels(through_gradients(explained, attribute), self.sign, self.channels)
