"""Gradients with another rule at ReLUs: guided backpropagation and deconvolution, on a prepared copy of the network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

from gifthorse.errors import Refusal
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.engine import batches
from gifthorse.tools.attribution.prepared import WAY_OUT, modules, prepared
from gifthorse.tools.attribution.ruled import Back, Ruled, backwards, replaced
from gifthorse.tools.attribution.surgery import ACTIVATIONS

RECTIFIERS = (nn.ReLU, nn.ReLU6)


def guided(module: nn.Module, x: Tensor) -> tuple[Tensor, Back]:
    """What comes back goes on where it is positive and the ReLU was open."""
    is_open = x > 0 if type(module) is nn.ReLU else (x > 0) & (x < 6)
    return module(x), lambda back: (back.clamp_min(0) * is_open,)


def deconvolved(module: nn.Module, x: Tensor) -> tuple[Tensor, Back]:
    """What comes back goes on where it is positive, whether the ReLU was open or not."""
    return module(x), lambda back: (back.clamp_min(0),)


def rectifying(
    explained: Explained, method: str, check: Callable[[fx.GraphModule], object] | None = None
) -> fx.GraphModule:
    """The prepared copy, in which there is a ReLU.

    Args:
        method: its name, for a refusal.
        check: what else the method asks of the copy, by a refusal.

    Raises:
        Refusal: there is none, one is hidden in a layer that cannot be looked into, or no copy can be prepared. No
            image has gone through then.
    """

    def both(network: fx.GraphModule) -> None:
        _require_rectifier(network, explained.classifier.name, method)
        if check is not None:
            check(network)

    return prepared(explained, method, None, both)


def _require_rectifier(network: fx.GraphModule, name: str, method: str) -> None:
    for node, module in modules(network):
        if not isinstance(module, nn.MultiheadAttention) and any(True for _ in module.children()):
            raise Refusal(
                f"{method} cannot see the ReLUs in {type(module).__name__} at {node.meta['path']!r} of {name}", WAY_OUT
            )
    if not any(isinstance(module, RECTIFIERS) for _, module in modules(network)):
        others = [(n, m) for n, m in modules(network) if isinstance(m, (*ACTIVATIONS, nn.MultiheadAttention))]
        told = f", only {type(others[0][1]).__name__} at {others[0][0].meta['path']!r}" if others else ""
        raise Refusal(f"{method} changes ReLUs, and {name} has none{told}", WAY_OUT)


def through_rectifiers(
    explained: Explained, network: fx.GraphModule, step: Callable[[nn.Module, Tensor], tuple[Tensor, Back]]
) -> Tensor:
    """Gradients ``(N, 3, H, W)`` with a step in the place of every ReLU."""

    def rule(_node: fx.Node, module: nn.Module, x: Tensor) -> Tensor:
        return replaced(lambda given: step(module, given), x)

    ruled = Ruled(network, dict.fromkeys(RECTIFIERS, rule))
    parts = [backwards(explained.classifier, ruled, images, targets)[0] for images, targets in batches(explained)]
    return torch.cat(parts)
