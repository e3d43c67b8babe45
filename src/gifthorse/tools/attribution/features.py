"""Features of an image: the parts that perturbation methods hide and keep, as one integer a pixel.

Two ways to cut: ``grid`` (cells of equal size) and ``superpixels`` (SLIC, which follows the picture). A tool has a
setting for each, and ``features`` says which of them is used.

A feature's value is given to each of its pixels as it is, not divided by the number of pixels (our choice, and
Captum's). A map says how much the part matters that a pixel belongs to; divided, a small superpixel would shine and a
large one fade for the same value. So the sum over *features* is what completeness speaks of, not the sum over pixels.
Positive values raise the explained logit.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.tools.attribution.base import Explained

FEATURES = ("grid", "superpixels")

COMPACTNESS = 10.0
"""Of SLIC: how much nearness counts beside colour. scikit-image's default."""

KEPT = 128
"""Images whose superpixels a process keeps: five methods cut the same images. At 224 pixels they take 26 MB."""

_CUTS: OrderedDict[tuple[str, tuple[int, ...], int], tuple[Tensor, int]] = OrderedDict()


def check_features(features: str, cells: int, segments: int) -> None:
    """Nothing, if :func:`cut` can follow these.

    Raises:
        UsageError: an unknown way to cut, or fewer than one cell or segment.
    """
    if features not in FEATURES:
        raise UsageError(f"features is {features!r}", nearest(features, FEATURES))
    for name, value in (("cells", cells), ("segments", segments)):
        if value < 1:
            raise UsageError(f"{name} is {value}", "a whole number from 1")


def check_baseline(baseline: float | str) -> None:
    """Nothing, if :func:`covering` can follow it.

    Raises:
        UsageError: neither a value in [0, 1] nor ``"mean"``.
    """
    if baseline != "mean" and (isinstance(baseline, str) or not 0 <= baseline <= 1):
        raise UsageError(f"baseline is {baseline!r}", "a value from 0 to 1, or 'mean'")


def covering(explained: Explained, baseline: float | str) -> Tensor:
    """What stands where a feature is hidden, ``(1, 3, H, W)`` in [0, 1]: a value, or the mean of the references.

    Raises:
        InputError: the mean is asked for, and there are no references.
    """
    if not isinstance(baseline, str):
        return torch.full_like(explained.images[:1], baseline)
    return references(explained, "the baseline is the mean of the references").mean(0, keepdim=True)


def references(explained: Explained, why: str) -> Tensor:
    """The references ``(M, 3, H, W)``.

    Args:
        why: what asks for them.

    Raises:
        InputError: there are none.
    """
    if explained.references is None or not len(explained.references):
        raise InputError(f"{why}, and there are none", "references=images")
    return explained.references


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The features of one image.

    Attributes:
        of: the feature of each pixel, ``(H, W)`` int32, numbered from 0 without a gap.
        count: features, F.
    """

    of: Tensor
    count: int

    @property
    def pixels(self) -> Tensor:
        """Pixels of each feature, ``(F,)`` float64 on the CPU."""
        return torch.bincount(self.of.flatten().cpu(), minlength=self.count).double()

    def paint(self, values: Tensor) -> Tensor:
        """Values ``(F,)`` of the features as a map ``(H, W)``: each pixel has its feature's value."""
        return values.to(self.of.device)[self.of.long()]


def cut(images: Tensor, features: str, cells: int, segments: int) -> list[Parts]:
    """The features of each image.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        features: ``grid`` or ``superpixels``.
        cells: of the grid, along each side. Where they do not divide it, some are a pixel longer than others.
        segments: asked of SLIC (Achanta et al. 2012, through scikit-image), which may make fewer or more.

    Raises:
        UsageError: more cells than pixels along a side.
    """
    if features == "superpixels":
        return [_superpixels(image, segments) for image in images]
    return [_grid(images[0], cells)] * len(images)


def _grid(image: Tensor, cells: int) -> Parts:
    height, width = image.shape[-2:]
    if cells > min(height, width):
        raise UsageError(f"{cells} cells along a side of {min(height, width)} pixels", f"cells={min(height, width)}")
    rows, columns = (torch.arange(side, device=image.device) * cells // side for side in (height, width))
    return Parts(of=(rows[:, None] * cells + columns).int(), count=cells * cells)


def _superpixels(image: Tensor, segments: int) -> Parts:
    """SLIC draws nothing, so that what is kept is, bit for bit, what would be made again."""
    picture = image.permute(1, 2, 0).float().cpu().contiguous().numpy()
    known = hashlib.sha256(picture.tobytes()).hexdigest(), picture.shape, segments
    if known not in _CUTS:
        labels = slic(picture.astype(np.float64), segments, COMPACTNESS, start_label=0, channel_axis=-1)
        names, dense = np.unique(labels, return_inverse=True)
        _CUTS[known] = torch.from_numpy(dense.reshape(labels.shape).astype(np.int32)), len(names)
        if len(_CUTS) > KEPT:
            _CUTS.popitem(last=False)
    _CUTS.move_to_end(known)
    of, count = _CUTS[known]
    return Parts(of=of.to(image.device), count=count)
