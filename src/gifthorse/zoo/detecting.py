"""What an object detector is: the things that it knows, and how sure it is that one of them is there."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Detector(Protocol):
    """A loaded detector of natural objects, of the emoji world's or of photographs'."""

    @property
    def things(self) -> tuple[str, ...]:
        """The names that it knows."""

    @property
    def digest(self) -> str:
        """SHA-256 of its weights and of the names that it knows; part of every key that it has a say in."""

    def heat(self, images: Tensor, thing: str) -> Tensor:
        """How sure it is that a thing is there: ``(N, 3, H, W)`` in [0, 1] to ``(N, H, W)`` in [0, 1].

        Raises:
            UsageError: it does not know the thing.
        """

    def heats(self, images: Tensor) -> Tensor:
        """The same for every thing at once: ``(N, things, H, W)`` in [0, 1]."""
