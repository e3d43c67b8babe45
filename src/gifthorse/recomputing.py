"""Passes whose gradients fit into memory: where they do not, each part is computed again when its gradient is wanted.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", over the rows of a batch instead of over layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def in_parts(function: Callable[[slice], Tensor], rows: int, at_once: int) -> Tensor:
    """What a function gives for all rows, ``(rows, ...)``, with the memory that ``at_once`` of them take.

    The function draws no random numbers, or the same ones for the same rows whenever it is called.

    Args:
        function: of some rows, to a tensor whose first axis is these.
        rows: of all.
        at_once: rows whose activations may be held; where there are more, only one part's ever are, and every part is
            computed twice if gradients are wanted.
    """
    if rows <= at_once:
        return function(slice(0, rows))
    parts = [slice(start, min(start + at_once, rows)) for start in range(0, rows, at_once)]
    if not torch.is_grad_enabled():
        return torch.cat([function(part) for part in parts])
    kept: list[Tensor] = [checkpoint(function, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return torch.cat(kept)


def fitting(memory: int, each: int) -> int:
    """How many of so many bytes each fit into memory, at least one."""
    return max(1, memory // max(1, each))


def activations(module: nn.Module, run: Callable[[], Tensor]) -> int:
    """Bytes, as float32, of all that a network's innermost modules put out while something runs."""
    return sum(size for _, size in watched(module, run)[1])


def watched(module: nn.Module, run: Callable[[], Tensor]) -> tuple[Tensor, list[tuple[nn.Module, int]]]:
    """What something gives, without gradients, and the innermost modules of a network that ran for it, in their order,
    with the bytes that each put out, as float32."""
    found: list[tuple[nn.Module, int]] = []

    def see(ran: nn.Module, _inputs: Any, out: Any) -> None:
        tensors = out if isinstance(out, (tuple, list)) else [out]
        found.append((ran, sum(4 * tensor.numel() for tensor in tensors if isinstance(tensor, Tensor))))

    leaves = [each for each in module.modules() if not any(True for _ in each.children())]
    handles = [leaf.register_forward_hook(see) for leaf in leaves]
    try:
        with torch.no_grad():
            out = run()
    finally:
        for handle in handles:
            handle.remove()
    return out, found
