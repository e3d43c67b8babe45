"""What a dataset is: classes, a size, and draws that repeat. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Images that were drawn, with what is known about them.

    Attributes:
        images: ``(N, 3, H, W)`` uint8 RGB.
        labels: ``(N,)`` class indices, -1 where unknown.
        tags: the names of all things in each image, its class among them; empty where unknown.
        ids: ``(N,)`` which images of the stream these are; with ``split`` and ``seed`` they find them again.
    """

    images: Bytes
    labels: Whole
    tags: tuple[frozenset[str], ...]
    ids: Whole
    split: str
    seed: int

    def __len__(self) -> int:
        return len(self.labels)


class Data(ABC):
    """A dataset: a frozen dataclass whose fields are its settings, a row of the zoo's data table."""

    places: ClassVar[tuple[str, ...]] = ()
    """Settings that say where on this machine the data lie. They are in no key, no unit and no report."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names by class index."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Side of the images in pixels."""

    @property
    @abstractmethod
    def labelled(self) -> bool:
        """Whether labels are known, so that a network can be trained on them."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of everything that the images depend on."""

    @abstractmethod
    def draw(
        self,
        split: str,
        count: int,
        seed: int,
        *,
        classes: tuple[int, ...] | None = None,
        without: tuple[str, ...] = (),
        having: str | None = None,
    ) -> Sample:
        """Images of a split, the same for the same arguments; image ``i`` does not depend on ``count``.

        Args:
            split: ``train`` or ``test``; no image is in both.
            count: how many.
            seed: which stream of the split.
            classes: only images of these class indices.
            without: only images in which none of these things is.
            having: only images in which this thing is.
        """

    @abstractmethod
    def tag_masks(self, sample: Sample, thing: str) -> Bytes:
        """Where a thing is visible: ``(N, 1, H, W)`` uint8 coverage, 255 where it is all there, 0 where it is not.

        Raises:
            UsageError: this dataset does not know where things are, or does not know this thing.
        """

    def laid(self, sample: Sample, drawing: str, seed: int) -> Bytes | None:
        """Images of a sample with a drawing among their things, as natural objects are.

        Args:
            sample: images of this dataset.
            drawing: name of an art.
            seed: of its places, sizes and angles.

        Returns:
            ``(N, 3, H, W)`` uint8, or None where this dataset cannot put things into images.
        """
        return None
