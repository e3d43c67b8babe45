"""DeepLIFT SHAP."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.baselines import drawn, references_of
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels
from gifthorse.tools.attribution.rescale import Rescaling


class DeepLiftShap(Attribution):
    """Mean of DeepLIFT over references as baselines, an approximation of Shapley values.

    Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", section 4.2 (Deep SHAP). Own code, as
    for ``deeplift`` and for its reasons. A map adds up to the target logit less its mean over the references. Two
    forward passes and one backward pass for each image and baseline.

    Attributes:
        baselines: references that each image is compared with; where there are more, as many are drawn for each image,
            and where there are fewer, all are taken. 16 is our choice: the paper and the thesis state none, and 10 to
            20 are usual.
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: a map then adds up to the difference of the logits), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients", "clean_images"})
    passes = 48.0

    baselines: int = 16
    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        if self.baselines < 1:
            raise UsageError(f"baselines is {self.baselines}", "a number from 1")
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        references = references_of(explained)
        count = min(self.baselines, len(references))
        rescaling = Rescaling(explained, "DeepLIFT SHAP")
        chosen = torch.cat([drawn(count, len(references), one) for one in explained.generators])
        owners = torch.arange(len(explained.images)).repeat_interleave(count)
        total = torch.zeros_like(explained.images)
        for start in range(0, len(owners), explained.batch):
            pair = slice(start, start + explained.batch)
            mine = owners[pair].to(total.device)
            images, baselines = explained.images[mine], references[chosen[pair].to(total.device)]
            rescaling.refer(baselines)
            multipliers, _ = rescaling.multipliers(images, explained.targets[mine])
            total.index_add_(0, mine, (images - baselines) * multipliers)
        return reduce_channels(total / count, self.sign, self.channels)
