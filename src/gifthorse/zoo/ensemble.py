"""Several classifiers as one: the mean of their probabilities, for attacks that are to transfer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError


class Ensemble(nn.Module):
    """Images in [0, 1] to the logarithm of the mean of several networks' probabilities."""

    def __init__(self, networks: Sequence[Classifier]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(network.module for network in networks)
        self.mean = [torch.tensor(network.mean).view(1, 3, 1, 1) for network in networks]
        self.std = [torch.tensor(network.std).view(1, 3, 1, 1) for network in networks]

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, size, size)`` to ``(N, C)``."""
        each = [
            network((images - mean.to(images)) / std.to(images)).float().log_softmax(1)
            for network, mean, std in zip(self.networks, self.mean, self.std, strict=True)
        ]
        mixed: Tensor = torch.stack(each).logsumexp(0) - torch.tensor(float(len(each))).log()
        return mixed


def ensemble(networks: Sequence[Classifier]) -> Classifier:
    """The mean of the probabilities of several networks as one classifier (thesis A.1).

    Raises:
        InputError: there is none, or their classes or sizes differ.
    """
    if not networks or len({(tuple(each.classes), each.size) for each in networks}) != 1:
        raise InputError("the networks have different classes or sizes, or there is none", "networks of one world")
    first = networks[0]
    return Classifier(
        Ensemble(networks),
        classes=first.classes,
        size=first.size,
        name="+".join(each.name for each in networks),
        device=first.device,
        precision=first.precision,
    )
