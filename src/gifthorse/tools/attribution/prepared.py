"""A prepared copy of a network, whose every step is a module of its own: what rules for layers are written on.

Stock networks use one ReLU module at many places, often in place, call ``F.relu`` in between, and add residuals with a
plus sign. Methods that treat layers by rules are wrong or fail on them. The copy is traced with ``torch.fx``; each call
site has its own module, nothing is done in place, BatchNorm is folded into the convolution or linear layer that it
follows directly (which leaves the function as it is, Jacob et al. 2018, section 3.2), additions and means are modules
(:mod:`gifthorse.tools.attribution.parts`), Dropout is gone. The user's module is only read.
"""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable, Collection
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.parts import Addition, Mean, Scale, Shift
from gifthorse.tools.attribution.ruled import Ruled
from gifthorse.tools.attribution.surgery import look, rewrite

TOLERANCE = 1e-4
"""How far the copy's logits may be from the network's, as a share of the largest: our choice. Folding BatchNorm changes
them by some 1e-6 in float32."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, Mean)
AFFINE = (*CONVOLUTIONS, *NORMS, *AVERAGES, nn.Linear, Addition, Scale, Shift)
"""Modules that are linear but for a bias: differences go through them as gradients do."""

RESHAPING = (
    nn.Flatten,
    nn.Unflatten,
    nn.Unfold,
    nn.ZeroPad2d,
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
    nn.PixelShuffle,
)
"""Modules that only move numbers."""

_RESHAPING_CALLS = (
    torch.flatten, torch.cat, torch.concat, torch.stack, torch.reshape, torch.permute, torch.transpose, torch.squeeze,
    torch.unsqueeze, torch.chunk, torch.split, torch.unbind, F.unfold, F.pad, operator.getitem, getattr, torch._assert,
    "flatten", "reshape", "view", "permute", "transpose", "contiguous", "squeeze", "unsqueeze", "chunk", "split",
    "unbind", "expand", "size", "dim", "clone", "float", "detach", "t",
)  # fmt: skip

_COPIES: WeakKeyDictionary[nn.Module, tuple[Any, fx.GraphModule]] = WeakKeyDictionary()


def prepared(
    explained: Explained,
    method: str,
    known: Collection[type[nn.Module]] | None,
    check: Callable[[fx.GraphModule], object] | None = None,
) -> fx.GraphModule:
    """The prepared copy of the explained classifier's network, checked before it is used.

    Two passes of one image (the network's own and the copy's) are counted with the method's.

    Args:
        method: its name in words, for the refusal.
        known: types of layers that it has a rule for, besides those that only move numbers; None for any layer.
        check: what else the method asks of the copy, by a refusal: before any image has gone through.

    Raises:
        Refusal: the network cannot be traced, has a layer without a rule or not what the method needs, or the copy's
            logits differ from its own.
    """
    network = _copy(explained.classifier)
    if known is not None:
        _require_known(explained.classifier, network, method, known)
    if check is not None:
        check(network)
    _require_equal(explained.classifier, network, explained.images[:1])
    return network


def modules(network: fx.GraphModule) -> list[tuple[fx.Node, nn.Module]]:
    """The module calls of a prepared copy, in the order in which they run."""
    return [(n, network.get_submodule(str(n.target))) for n in network.graph.nodes if n.op == "call_module"]


def _copy(classifier: Classifier) -> fx.GraphModule:
    """Traced and rewritten, or as it was made before, while the weights are still the same tensors, unchanged."""
    module = classifier.module
    tensors = [*module.parameters(), *module.buffers()]
    print_of = (classifier.size, [(t.data_ptr(), t._version, t.device) for t in tensors if not t.is_inference()])
    if module in _COPIES and _COPIES[module][0] == print_of:
        return _COPIES[module][1]
    grey = torch.full((1, 3, classifier.size, classifier.size), 0.5, device=classifier.device)
    try:
        twin = copy.deepcopy(module)
        given = list(inspect.signature(twin.forward).parameters.values())[
            1:
        ]  # what else forward can take stays as it is
        usual = {one.name: one.default for one in given if one.default is not one.empty}
        network = fx.GraphModule(twin, fx.Tracer().trace(twin, concrete_args=usual))
        look(network, grey)
    except Exception as error:  # noqa: BLE001  whatever a module's own code raises where it meets a symbol
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refusal(
            f"{classifier.name} cannot be traced, so no copy of it can be prepared: {said}",
            f"write its forward without branches on values of tensors, or {WAY_OUT}",
        ) from None
    rewrite(network)
    look(network, grey)
    _COPIES[module] = print_of, network
    return network


WAY_OUT = "use a method that takes any network, such as integrated_gradients, gradient_shap or occlusion"


def _require_known(
    classifier: Classifier, network: fx.GraphModule, method: str, known: Collection[type[nn.Module]]
) -> None:
    for node in network.graph.nodes:
        if not node.meta["live"] or node.op in ("placeholder", "output"):
            continue
        if node.op == "call_module":
            module = network.get_submodule(str(node.target))
            kind = type(module)
            statistics = kind not in NORMS or getattr(module, "running_mean", None) is not None
            fine = kind in RESHAPING or (kind in known and statistics)
            what = kind.__name__ if statistics else f"{kind.__name__} without running statistics"
        else:
            fine = node.target in _RESHAPING_CALLS and not _pads_with_a_value(node)
            what = node.meta["path"].rpartition(".")[2]
        if not fine:
            raise Refusal(f"{method} has no rule for {what} at {node.meta['path']!r} of {classifier.name}", WAY_OUT)


def _pads_with_a_value(node: fx.Node) -> bool:
    value = node.args[3] if len(node.args) > 3 else node.kwargs.get("value")
    return node.target is F.pad and bool(value)


def _require_equal(classifier: Classifier, network: fx.GraphModule, image: Tensor) -> None:
    with torch.no_grad():
        own, other = classifier.logits(image), classifier.through(Ruled(network), image)
    allowed = TOLERANCE * max(1e-6, float(own.abs().max().nan_to_num(posinf=0)))
    if not torch.allclose(own, other, atol=allowed, rtol=0, equal_nan=True):
        far = float((own - other).abs().max())
        raise Refusal(
            f"the prepared copy of {classifier.name} gives other logits than it (by {far:.2g}, allowed {allowed:.2g})",
            f"look for operations in place on what is used elsewhere, or {WAY_OUT}",
        )
