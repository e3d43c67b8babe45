"""Saliency: the gradient of a logit."""

from __future__ import annotations

from captum.attr import Saliency as CaptumSaliency
from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels, through_gradients


class Saliency(Attribution):
    """Magnitude of the target logit's gradient with respect to each pixel.

    Simonyan, Vedaldi and Zisserman 2013, "Deep Inside Convolutional Networks", section 3: the largest absolute
    gradient over the colour channels. Through Captum's ``Saliency``; one forward and one backward pass an image.
    Differs from Captum's default in nothing but the channels, which Captum leaves apart. The gradient is with respect
    to images in [0, 1], so the classifier's own normalisation scales it by channel.

    Attributes:
        sign: ``absolute`` (the paper's, and Captum's default), ``signed`` or ``positive``.
        channels: ``max`` (the paper's), ``mean`` or ``sum``. The thesis states neither of the two.
    """

    needs = frozenset({"gradients"})

    sign: str = "absolute"
    channels: str = "max"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        method = CaptumSaliency(explained.classifier.view)

        def attribute(images: Tensor, targets: Tensor) -> Tensor:
            values: Tensor = method.attribute(images, target=targets, abs=False)
            return values

        return reduce_channels(through_gradients(explained, attribute), self.sign, self.channels)
