"""Guided Grad-CAM."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal, UsageError, nearest
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import batches, check_reduction, reduce_channels
from gifthorse.tools.attribution.parts import Addition, Product, Scale, Shift
from gifthorse.tools.attribution.prepared import NORMS, WAY_OUT
from gifthorse.tools.attribution.rectified import guided, rectifying, through_rectifiers
from gifthorse.tools.attribution.ruled import Ruled, require_gradient
from gifthorse.tools.attribution.surgery import ACTIVATIONS

_KEEPING = (*ACTIVATIONS, *NORMS, Addition, Product, Scale, Shift)
"""What may follow a convolution and still be its activation."""

_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.Identity)


class GuidedGradcam(Attribution):
    """Guided backpropagation where Grad-CAM sees the class: their product, pixel by pixel.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization", sections
    3.1 and 3.2: the channels of a layer, weighted by the mean gradient of the logit, summed, and only what is positive;
    enlarged bilinearly, as in the paper (Captum's default is the nearest pixel). Our own, on a prepared copy of the
    network, for the reasons of ``guided_backprop``. Two forward passes an image, a backward pass, and one from the
    logit down to the layer.

    Attributes:
        layer: name of the layer whose channels are weighted; ``auto`` takes the last activation of a convolution (what
            normalisation, ReLU and residual addition made of it) that is larger than one pixel.
        sign: ``absolute`` (our choice, as for saliency: the thesis says neither), ``signed`` or ``positive``.
        channels: ``max`` (our choice, as for saliency), ``mean`` or ``sum``.
    """

    needs = frozenset({"gradients", "activations"})
    passes = 4.0

    layer: str = "auto"
    sign: str = "absolute"
    channels: str = "max"

    def __post_init__(self) -> None:
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        def chosen(network: fx.GraphModule) -> fx.Node:
            if self.layer == "auto":
                return last_activation(network, explained.classifier)
            return activation_of(network, explained.classifier, self.layer)

        network = rectifying(explained, "Guided Grad-CAM", chosen)
        seen = gradcam(explained, network, chosen(network))
        return reduce_channels(seen * through_rectifiers(explained, network, guided), self.sign, self.channels)


def gradcam(explained: Explained, network: fx.GraphModule, node: fx.Node) -> Tensor:
    """Grad-CAM of a node's channels, from 0 up, enlarged to the images: ``(N, 1, H, W)``."""
    size = explained.images.shape[-2:]
    parts = []
    for images, targets in batches(explained):
        kept: list[Tensor] = []

        def keep(n: fx.Node, made: Any, kept: list[Tensor] = kept) -> None:
            if n is node:
                kept.append(made)

        with torch.enable_grad():
            logits = explained.classifier.through(Ruled(network, watch=keep), images.clone().requires_grad_())
            require_gradient(explained.classifier, logits)
            chosen = logits.gather(1, targets[:, None]).sum()
        (slopes,) = torch.autograd.grad(chosen, kept[0])
        weights = slopes.mean((2, 3), keepdim=True)
        seen = (weights * kept[0].detach()).sum(1, keepdim=True).clamp_min(0)
        parts.append(F.interpolate(seen, size=size, mode="bilinear", align_corners=False))
    return torch.cat(parts)


def last_activation(network: fx.GraphModule, classifier: Classifier) -> fx.Node:
    """The last activation of a convolution that is larger than one pixel.

    Raises:
        Refusal: there is none.
    """
    spatial: set[fx.Node] = set()
    found: fx.Node | None = None
    for node in network.graph.nodes:
        fed = any(above in spatial for above in node.all_input_nodes)
        module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
        activation = isinstance(module, nn.Conv2d) or (fed and isinstance(module, _KEEPING))
        if activation or (fed and (isinstance(module, _POOLING) or node.target in (torch.cat, torch.concat))):
            spatial.add(node)
        if activation and _larger_than_a_pixel(node):
            found = node
    if found is None:
        raise Refusal(f"{classifier.name} has no convolution whose activation is larger than one pixel", WAY_OUT)
    return found


def activation_of(network: fx.GraphModule, classifier: Classifier, layer: str) -> fx.Node:
    """The node that gives what a layer puts out.

    Raises:
        UsageError: there is no such layer.
        Refusal: it puts out no channels of pixels, or its own output is not there in the prepared copy.
    """
    if layer not in classifier.layers():
        raise UsageError(f"{classifier.name} has no layer {layer!r}", nearest(layer, classifier.layers()))
    nodes: list[fx.Node] = [n for n in network.graph.nodes if any(_within(path, layer) for path in _paths(n))]
    if not nodes or not _larger_than_a_pixel(nodes[-1]):
        raise Refusal(f"layer {layer!r} of {classifier.name} puts out no pixels", "layer='auto', or another layer")
    if (folded := nodes[-1].meta.get("norm")) and not _within(folded, layer):
        raise Refusal(
            f"the BatchNorm at {folded!r} of {classifier.name} is folded into layer {layer!r}", f"layer={folded!r}"
        )
    return nodes[-1]


def _paths(node: fx.Node) -> list[str]:
    return [node.meta["path"], *([node.meta["norm"]] if "norm" in node.meta else [])]


def _within(path: str, layer: str) -> bool:
    return path == layer or path.startswith(f"{layer}.")


def _larger_than_a_pixel(node: fx.Node) -> bool:
    shape = node.meta.get("shape")
    return shape is not None and len(shape) == 4 and shape[2] * shape[3] > 1
