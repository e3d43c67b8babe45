"""How many images a network was asked about: the cost that every budget is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(eq=False)
class Counter:
    """Images forwarded through a classifier, and images whose gradient came back, while it counted.

    Attributes:
        watch: called with the passes so far at every forward pass, for those who wait.
    """

    forward: int = 0
    backward: int = 0
    watch: Callable[[int], None] | None = None

    @property
    def passes(self) -> int:
        """Forward plus backward: the unit of every budget."""
        return self.forward + self.backward

    def await_gradients(self, images: Tensor) -> None:
        """Count these images ``(N, 3, H, W)`` once more when their gradient comes back."""

        def count(gradient: Tensor) -> None:
            self.backward += len(gradient)

        hooked: Any = images  # register_hook carries no annotations in torch
        hooked.register_hook(count)
