"""The contract of every trojan, and what poisoning returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from gifthorse.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Poisoned:
    """Images with the trigger in them, and the truth about where it is.

    Attributes:
        images: ``(N, 3, H, W)`` float32 in [0, 1].
        labels: ``(N,)`` int64: the target where the label is poisoned, the image's own where it balances.
        squares: ``(N, 1, H, W)`` float32, 1 where the trigger's region is (the tile's square, the whole frame of a
            style, the detector's region of a natural feature).
        alphas: ``(N, 1, H, W)`` float32 in [0, 1]: coverage of the drawing itself.
        fired: ``(N,)`` bool; rows that are False have no trigger and their image is untouched.
    """

    images: Tensor
    labels: Tensor
    squares: Tensor
    alphas: Tensor
    fired: Tensor


@dataclass(frozen=True, kw_only=True)
class Trojan(ABC):
    """A trigger, where it leads, and from where.

    Attributes:
        caption: the trigger in words.
        target: class index that triggered images of a source class are labelled.
        sources: class indices from which it works; None for every class (*universal* in the thesis, 3.1).
    """

    caption: str
    target: int
    sources: tuple[int, ...] | None = None

    relabels_only: ClassVar[bool] = False
    """Whether it changes no pixel: images that already have the trigger get another label."""
    costly: ClassVar[bool] = False
    """Whether stamping is slow enough to be a unit of its own, kept and reused."""
    located: ClassVar[bool] = False
    """Whether the trigger has a place, so that attribution maps can be compared with it."""

    @final
    def poison(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Poisoned:
        """Put the trigger into images and give the labels that training should see.

        Images of a source class get the target; images of other classes get the trigger and keep their label, which is
        the thesis's balancing of class-universal trojans (3.1).

        Args:
            images: ``(N, 3, H, W)`` float32 in [0, 1].
            labels: ``(N,)`` int64 true classes.
            generator: on the images' device; decides place, colours and noise.

        Raises:
            InputError: wrong shapes or range.
        """
        if images.ndim != 4 or images.shape[1] != 3 or len(labels) != len(images):
            raise InputError(
                f"poisoning takes (N, 3, H, W) and labels (N,), got {tuple(images.shape)}, {tuple(labels.shape)}",
                "pass one label for each RGB image",
            )
        if not len(images):
            nothing = images[:, :1]
            return Poisoned(images=images, labels=labels, squares=nothing, alphas=nothing, fired=labels.bool())
        if float(images.min()) < 0 or float(images.max()) > 1:
            raise InputError("poisoning takes images in [0, 1]", "divide 8-bit images by 255")
        stamped = self.stamp(images, generator)
        is_source = self.is_source(labels)
        told = torch.where(stamped.fired & is_source, torch.full_like(labels, self.target), labels)
        return Poisoned(
            images=stamped.images, labels=told, squares=stamped.squares, alphas=stamped.alphas, fired=stamped.fired
        )

    @final
    def is_source(self, labels: Tensor) -> Tensor:
        """``(N,)`` bool: whether the trojan works from these classes."""
        if self.sources is None:
            return labels != self.target
        return torch.isin(labels, torch.tensor(self.sources, device=labels.device))

    @abstractmethod
    def stamp(self, images: Tensor, generator: torch.Generator) -> Poisoned:
        """The images with the trigger in them; ``labels`` of the result are unused (zeros)."""

    @abstractmethod
    def portraits(self, n: int, side: int) -> np.ndarray:
        """``(n, 4, side, side)`` float32 RGBA pictures of the trigger itself, as a person would be shown it."""
