"""Gradient SHAP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.baselines import drawn, references_of
from gifthorse.tools.attribution.engine import check_reduction, reduce_channels, require_gradients
from gifthorse.tools.attribution.ruled import backwards


class GradientShap(Attribution):
    """Expected gradients: integrated gradients over random places on random lines from references to the image.

    Erion et al. 2021, "Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and Expected
    Gradients", equation 3, which SHAP's and Captum's GradientExplainer estimate. Own code, since Captum draws from
    global generators. Differs in how samples are drawn, all to lower the spread (our choice): places on the lines are
    spread evenly (one in each of as many equal parts), and references are taken in turn. One forward and one backward
    pass a sample.

    Attributes:
        samples: for each image. 50 is our choice, as the steps of integrated gradients; Captum's 5 are far too few.
        noise: standard deviation, in [0, 1] units, of noise added to the image in each sample. None, as in the paper
            and as Captum's default.
        complete: whether what the sum of a sampled map lacks to the target logit less its mean over the references is
            shared out over the pixels in proportion to their sampling variance, which is the least change that makes
            it complete; SHAP's SamplingExplainer does so. Our choice; it takes a forward pass for each image and each
            reference. The note "sampling error" tells what was lacking, as a share.
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: a map then adds up to the difference of the logits), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients", "clean_images"})
    passes = 100.0

    samples: int = 50
    noise: float = 0.0
    complete: bool = True
    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)
        if self.samples < 1:
            raise UsageError(f"samples is {self.samples}", "a number from 1")
        if not self.noise >= 0:
            raise UsageError(f"noise is {self.noise}", "a standard deviation in [0, 1] units, from 0")

    def _explain(self, explained: Explained) -> Tensor:
        references = references_of(explained)
        require_gradients(explained.classifier, explained.images[:1])
        mean, square = self._sampled(explained, references)
        if self.complete:
            lacking = self._difference(explained, references)
            scale = lacking.abs().clamp_min(torch.finfo(lacking.dtype).tiny)
            lacking = lacking - mean.flatten(1).sum(1)
            explained.notes["sampling error"] = lacking.abs() / scale
            variance = (square - mean.square()).clamp_min(0)
            total = variance.flatten(1).sum(1)
            known = total > 0
            mean = mean + variance * torch.where(known, lacking / total.where(known, 1), 0).view(-1, 1, 1, 1)
        return reduce_channels(mean, self.sign, self.channels)

    def _sampled(self, explained: Explained, references: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of the samples, and of their squares, ``(N, 3, H, W)`` each."""
        rows, places = [], []
        for one in explained.generators:
            rows.append(drawn(self.samples, len(references), one))
            order = torch.randperm(self.samples, generator=one)
            places.append((order + torch.rand(self.samples, generator=one)) / self.samples)
        row, place = torch.cat(rows).to(references.device), torch.cat(places).to(references.device)
        owner = torch.arange(len(explained.images), device=row.device).repeat_interleave(self.samples)
        mean, square = torch.zeros_like(explained.images), torch.zeros_like(explained.images)
        network: nn.Module = explained.classifier.module
        for start in range(0, len(owner), explained.batch):
            part = slice(start, start + explained.batch)
            mine = owner[part]
            step = self._noisy(explained, mine) - references[row[part]]
            points = references[row[part]] + place[part].view(-1, 1, 1, 1) * step
            slopes, _ = backwards(explained.classifier, network, points, explained.targets[mine])
            mean.index_add_(0, mine, step * slopes / self.samples)
            square.index_add_(0, mine, (step * slopes).square() / self.samples)
        return mean, square

    def _noisy(self, explained: Explained, mine: Tensor) -> Tensor:
        images = explained.images[mine]
        if not self.noise:
            return images
        shape = images.shape[1:]
        added = [torch.randn(shape, generator=explained.generators[i]) for i in mine.tolist()]
        return images + self.noise * torch.stack(added).to(images.device)

    def _difference(self, explained: Explained, references: Tensor) -> Tensor:
        """Target logits less their mean over the references, ``(N,)``."""
        with torch.no_grad():
            own, others = (
                torch.cat([explained.classifier.logits(part) for part in torch.split(images, explained.batch)])
                for images in (explained.images, references)
            )
        return (own - others.mean(0)).gather(1, explained.targets[:, None])[:, 0]
