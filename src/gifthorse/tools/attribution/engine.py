"""What attribution methods share: batches of images, gradients through Captum's view, channels to one map."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError, nearest
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.ruled import require_gradient

SIGNS = ("absolute", "signed", "positive")
CHANNELS = ("max", "mean", "sum")


def batches(explained: Explained) -> Iterator[tuple[Tensor, Tensor]]:
    """Images ``(b, 3, H, W)`` and targets ``(b,)``, with b at most the batch."""
    for start in range(0, len(explained.images), explained.batch):
        chosen = slice(start, start + explained.batch)
        yield explained.images[chosen], explained.targets[chosen]


def through_gradients(explained: Explained, attribute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A Captum method that needs gradients, a batch at a time: ``(N, 3, H, W)``.

    Args:
        attribute: images ``(b, 3, H, W)`` that require gradients and targets ``(b,)`` to values of the images' shape.

    Raises:
        Refusal: the network's logits have no gradient with respect to its input.
    """
    parts = []
    for images, targets in batches(explained):
        try:
            parts.append(attribute(images.clone().requires_grad_(), targets).detach())
        except RuntimeError:
            # Captum's message speaks of its own tensors; ask the network itself, and say it in the caller's words
            require_gradients(explained.classifier, images[:1])
            raise
    return torch.cat(parts)


def require_gradients(classifier: Classifier, images: Tensor) -> None:
    """Nothing, if logits depend differentiably on images.

    Raises:
        Refusal: they do not.
    """
    with torch.enable_grad():
        logits = classifier(images.clone().requires_grad_())
    require_gradient(classifier, logits)


def check_reduction(sign: str, channels: str) -> None:
    """Nothing, if both are names that :func:`reduce_channels` knows.

    Raises:
        UsageError: they are not.
    """
    for what, given, valid in (("sign", sign, SIGNS), ("channels", channels, CHANNELS)):
        if given not in valid:
            raise UsageError(f"{what} is {given!r}", nearest(given, valid))


def reduce_channels(values: Tensor, sign: str, channels: str) -> Tensor:
    """Values ``(N, 3, H, W)`` to maps ``(N, H, W)``: the sign rule first, then the channels.

    Args:
        sign: ``absolute`` magnitudes, ``signed`` values as they are, or ``positive`` parts.
        channels: ``sum``, ``mean``, or ``max``: the channel of largest magnitude, with its sign.
    """
    if sign == "absolute":
        values = values.abs()
    elif sign == "positive":
        values = values.clamp_min(0)
    if channels == "sum":
        return values.sum(1)
    if channels == "mean":
        return values.mean(1)
    return values.gather(1, values.abs().argmax(1, keepdim=True))[:, 0]
