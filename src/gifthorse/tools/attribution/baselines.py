"""What an image is compared with: one baseline, or references as a distribution of baselines. All in [0, 1] space."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import InputError, UsageError
from gifthorse.tools.attribution.base import Explained


def check_baseline(baseline: float | str) -> None:
    """Nothing, if it is one that :func:`baseline_of` knows.

    Raises:
        UsageError: it is not.
    """
    if baseline != "mean" and (isinstance(baseline, str) or not 0 <= baseline <= 1):
        raise UsageError(f"baseline is {baseline!r}", "a value from 0 (black) to 1 (white), or 'mean'")


def baseline_of(explained: Explained, baseline: float | str) -> Tensor:
    """A baseline ``(1, 3, H, W)`` in [0, 1].

    Args:
        baseline: a value for every pixel, or ``"mean"``: the mean of the references, pixel by pixel.

    Raises:
        InputError: the mean of references is asked for, and there are none.
    """
    if not isinstance(baseline, str):
        return torch.full_like(explained.images[:1], baseline)
    return references_of(explained).mean(0, keepdim=True)


def references_of(explained: Explained) -> Tensor:
    """The references ``(M, 3, H, W)``.

    Raises:
        InputError: there are none.
    """
    if explained.references is None or not len(explained.references):
        raise InputError("the baselines are the references, and there are none", "references=images")
    return explained.references


def drawn(count: int, of: int, generator: torch.Generator) -> Tensor:
    """Which ``count`` of ``of`` references, each as often as the others but for one: ``(count,)`` indices.

    All of them in order where they are asked for, so that no chance is left.
    """
    whole = torch.arange(of).repeat(count // of)
    rest = count - len(whole)
    return torch.cat([whole, torch.randperm(of, generator=generator)[:rest]]) if rest else whole
