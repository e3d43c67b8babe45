"""Where random numbers come from: a generator of its own for each purpose."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def generator(seed: int, *purpose: object) -> torch.Generator:
    """A generator of its own for one purpose, so that no draw shifts another's.

    Args:
        seed: of the whole.
        purpose: what tells this generator from the others, such as a name and an index.
    """
    told = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(told[:8], "big") >> 1)


class Purposes:
    """Generators by purpose out of one: what is drawn for one purpose shifts nothing that is drawn for another.

    Making it takes one number from the generator, however many purposes are asked for afterwards.
    """

    def __init__(self, source: torch.Generator) -> None:
        self._seed = int(torch.randint(2**62, (), generator=source))
        self._made: dict[str, torch.Generator] = {}

    def __getitem__(self, purpose: str) -> torch.Generator:
        if purpose not in self._made:
            self._made[purpose] = generator(self._seed, purpose)
        return self._made[purpose]


@contextlib.contextmanager
def undisturbed(seed: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python, which libraries draw from, and restore them at the end."""
    python, numeric = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numeric)
