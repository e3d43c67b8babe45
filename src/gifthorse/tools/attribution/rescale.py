"""DeepLIFT's rules: the network runs on a reference first, then on an image, and gradients become slopes in between.

Every rule hands the whole difference of what leaves a layer on to the differences of what enters it, so that a map adds
up to the difference of the logits (summation to delta, Shrikumar et al. 2017, section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.parts import Product
from gifthorse.tools.attribution.prepared import AFFINE, prepared
from gifthorse.tools.attribution.ruled import Back, Rule, Ruled, backwards, replaced
from gifthorse.tools.attribution.surgery import ACTIVATIONS

NEAR = 1e-6
"""Differences below it have no slope in float32: the gradient takes its place, as in SHAP's DeepExplainer. The part of
the map that this can change is as small."""

KNOWN = (*AFFINE, *ACTIVATIONS, nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.LayerNorm, Product)


class Rescaling:
    """A network prepared for DeepLIFT.

    Args:
        explained: whose network is prepared.
        method: its name, for a refusal.

    Raises:
        Refusal: the network cannot be prepared or has a layer without a rule.
    """

    def __init__(self, explained: Explained, method: str) -> None:
        network = prepared(explained, method, KNOWN)
        self._classifier = explained.classifier
        self._kept: dict[str, tuple[Tensor, ...]] = {}
        self._first = Ruled(network, dict.fromkeys(_RULED, self._keep))
        self._second = Ruled(network, {kind: self._with_kept(make) for kind, make in _RULED.items()})

    def refer(self, references: Tensor) -> Tensor:
        """Run references ``(1 or N, 3, H, W)``, which what follows is compared with, and return logits ``(., C)``."""
        self._kept.clear()
        with torch.no_grad():
            return self._classifier.through(self._first, references)

    def multipliers(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Multipliers ``(N, 3, H, W)``, times image minus reference the contributions; and target logits ``(N,)``."""
        return backwards(self._classifier, self._second, images, targets)

    def _keep(self, node: fx.Node, module: nn.Module, *inputs: Any) -> Any:
        if isinstance(module, (nn.MaxPool2d, nn.AdaptiveMaxPool2d)):
            made, at = _pool(module, inputs[0])
            self._kept[node.name] = (inputs[0], made, at)
        else:
            made = module(*inputs)
            self._kept[node.name] = (*inputs, made)
        return made

    def _with_kept(self, make: Callable[..., tuple[Tensor, Back]]) -> Rule:
        def rule(node: fx.Node, module: nn.Module, *inputs: Tensor) -> Tensor:
            kept = self._kept[node.name]
            return replaced(lambda *given: make(module, kept, *given), *inputs)

        return rule


Kept = tuple[Tensor, ...]


def _activation(module: nn.Module, kept: Kept, x: Tensor) -> tuple[Tensor, Back]:
    """The rescale rule (section 3.5.1): difference out over difference in."""
    y = module(x)
    run = x - kept[0]
    flat = run.abs() < NEAR
    slope = (y - kept[1]).div_(run.masked_fill_(flat, 1.0))
    if bool(flat.any()):
        slope = torch.where(flat, _derivative(module, x), slope, out=slope)
    return y, lambda back: (back * slope,)


def _derivative(module: nn.Module, x: Tensor) -> Tensor:
    if type(module) is nn.ReLU:
        return (x > 0).to(x.dtype)
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(module(leaf).sum(), leaf)
    return slope


def _maximum(module: nn.Module, kept: Kept, x: Tensor) -> tuple[Tensor, Back]:
    """The difference of two maxima goes to where the larger of the two is.

    There the inputs differ at least as much as the maxima, so slopes are from 0 to 1, and windows may overlap.
    """
    y, at = _pool(module, x)
    x0, y0, at0 = (part.expand(len(x), *part.shape[1:]) for part in kept)
    chosen = torch.where(y >= y0, at, at0).flatten(2)
    run = (x.flatten(2).gather(2, chosen) - x0.flatten(2).gather(2, chosen)).view_as(y)
    near = run.abs() < NEAR
    slope = torch.where(near, 1.0, (y - y0) / torch.where(near, 1.0, run))
    shape = x.shape

    def back(gradient: Tensor) -> tuple[Tensor]:
        spread = gradient.new_zeros(shape).flatten(2)
        return (spread.scatter_add_(2, chosen, (gradient * slope).flatten(2)).view(shape),)

    return y, back


def _pool(module: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima, and where in the flattened plane they are."""
    if isinstance(module, nn.AdaptiveMaxPool2d):
        size: Any = module.output_size
        return F.adaptive_max_pool2d(x, size, return_indices=True)
    settings = (module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)
    made: tuple[Tensor, Tensor] = F.max_pool2d(x, *settings, return_indices=True)
    return made


def _product(_module: nn.Module, kept: Kept, one: Tensor, other: Tensor) -> tuple[Tensor, Back]:
    """Each factor's difference times the mean of the other factor: the two factors' Shapley values, exactly."""
    first, second = (one + kept[0]) / 2, (other + kept[1]) / 2
    shapes = one.shape, other.shape
    return one * other, lambda back: (
        (back * second).sum_to_size(shapes[0]),
        (back * first).sum_to_size(shapes[1]),
    )


def _layer_norm(module: Any, kept: Kept, x: Tensor) -> tuple[Tensor, Back]:
    """LayerNorm as its steps: centre, square, mean, root, product; rescale and product rules on each."""
    dimensions = tuple(range(-len(module.normalized_shape), 0))

    def steps(signal: Tensor) -> tuple[Tensor, Tensor]:
        centred = signal - signal.mean(dimensions, keepdim=True)
        return centred, (centred.square().mean(dimensions, keepdim=True) + module.eps).rsqrt()

    (z, r), (z0, r0) = steps(x), steps(kept[0])
    middle, root = (z + z0) / 2, (r + r0) / 2
    slope = -(r * r0).square() / (r + r0)  # of the inverse root between the two variances
    weight = module.weight

    def back(gradient: Tensor) -> tuple[Tensor]:
        inner = gradient if weight is None else gradient * weight
        at_root = (inner * middle).sum(dimensions, keepdim=True)
        count = inner[0].numel() // at_root[0].numel()
        at_centred = inner * root + at_root * slope * 2 * middle / count
        return (at_centred - at_centred.mean(dimensions, keepdim=True),)

    return module(x), back


_RULED: dict[type[nn.Module], Callable[..., tuple[Tensor, Back]]] = {
    **dict.fromkeys(ACTIVATIONS, _activation),
    nn.MaxPool2d: _maximum,
    nn.AdaptiveMaxPool2d: _maximum,
    nn.LayerNorm: _layer_norm,
    Product: _product,
}
