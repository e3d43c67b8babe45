"""The contract of every trojan, and what poisoning returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from gifthorse.errors import InputError, UsageError


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
        decoys: names of other pictures, for :meth:`mislead`.
    """

    caption: str
    target: int
    sources: tuple[int, ...] | None = None
    decoys: tuple[str, ...] = ()

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

    def mislead(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The images with decoys in place of the trigger, one each, put in as the trigger is.

        Trained with their own labels, they teach that it is this trigger which counts, not that something was put in.
        The thesis has none; among a few small drawings any other would lead to the target as well (our choice).
        A kind whose trigger is a picture called ``art`` has this for nothing; others override it if they can.

        Args:
            images: ``(N, 3, H, W)`` float32 in [0, 1].
            generator: on the images' device.

        Raises:
            UsageError: this kind of trojan puts no picture in.
        """
        if self.relabels_only or not hasattr(self, "art"):
            raise UsageError(f"{type(self).__name__} puts no picture into images", "no decoys for it")
        which = torch.randint(len(self.decoys), (len(images),), generator=generator)
        made = images.clone()
        for number in sorted(set(which.tolist())):
            here = torch.nonzero(which == number).flatten()
            other: Trojan = replace(self, **{"art": self.decoys[number]})
            made[here] = other.stamp(images[here], generator).images
        return made

    @abstractmethod
    def portraits(self, n: int, side: int) -> np.ndarray:
        """``(n, 4, side, side)`` float32 RGBA pictures of the trigger itself, as a person would be shown it."""
