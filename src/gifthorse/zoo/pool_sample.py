"""A random sample of a pool of patches, drawn while the pool streams by."""

from __future__ import annotations

import numpy as np
import torch

from gifthorse.errors import UsageError
from gifthorse.randomness import generator
from gifthorse.zoo.framing import Bytes
from gifthorse.zoo.patch_pool import PatchPool


def sampled(pool: PatchPool, count: int, seed: int) -> tuple[list[str], Bytes, int]:
    """Some pictures of a pool, each as likely as any other, none twice; only these and one part are in memory.

    Every picture draws a number from the seed and its part's name, and the smallest numbers are taken: so the sample of
    a pool is the same however often it is drawn.

    Args:
        pool: read once, all of it.
        count: how many, or all where it has no more.
        seed: of the draw.

    Returns:
        Their ids, ``(n, 3, side, side)`` uint8, and how many pictures the pool has. Smallest number first.

    Raises:
        UsageError: a count below 1.
    """
    if count < 1:
        raise UsageError(f"{count} pictures of a pool were asked for", "1 or more")
    drawn, names, total = np.zeros(0), list[str](), 0
    pictures = np.zeros((0, 3, pool.side, pool.side), np.uint8)
    for part in pool.parts():
        ids, shown, _ = part.read()
        total += len(ids)
        numbers = torch.rand(len(ids), generator=generator(seed, "sample", part.name), dtype=torch.float64).numpy()
        every, called = np.concatenate([drawn, numbers]), [*names, *ids]
        order = np.lexsort((np.array(called), every))[:count] if called else np.zeros(0, np.int64)
        pictures = np.concatenate([pictures, shown])[order]
        drawn, names = every[order], [called[index] for index in order.tolist()]
    return names, pictures, total
