"""DeepLIFT."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.baselines import baseline_of, check_baseline
from gifthorse.tools.attribution.engine import batches, check_reduction, reduce_channels
from gifthorse.tools.attribution.rescale import Rescaling


class DeepLift(Attribution):
    """Each pixel's share of the difference between the target logit and that of a baseline.

    Shrikumar, Greenside and Kundaje 2017, "Learning Important Features Through Propagating Activation Differences",
    with the rescale rule (section 3.5.1) at activations. Our own, on a prepared copy of the network: Captum's raises
    where a ReLU module is used twice, and loses part of the difference at maxima. Beyond the
    paper, a product of two signals is shared by the mean of the other factor, and LayerNorm is taken as its steps. One
    forward and one backward pass an image, one forward pass for the baseline. Attention is refused.

    Attributes:
        baseline: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Black is our choice:
            Captum's zero is the mean colour after normalisation, and the thesis states none.
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: a map then adds up to the difference of the logits), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients"})

    baseline: float | str = 0.0
    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        check_baseline(self.baseline)
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        baseline = baseline_of(explained, self.baseline)
        rescaling = Rescaling(explained, "DeepLIFT")
        rescaling.refer(baseline)
        parts = []
        for images, targets in batches(explained):
            multipliers, _ = rescaling.multipliers(images, targets)
            parts.append((images - baseline) * multipliers)
        return reduce_channels(torch.cat(parts), self.sign, self.channels)
