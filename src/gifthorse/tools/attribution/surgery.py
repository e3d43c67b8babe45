"""Rewriting a traced network: a module of its own for each step, nothing in place, BatchNorm folded, no Dropout."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from gifthorse.tools.attribution.parts import Addition, Mean, Product, Scale, Shift

_ACTIVATIONS: dict[type[nn.Module], tuple[Any, ...]] = {
    nn.ReLU: (F.relu, torch.relu, torch.relu_, F.relu_, "relu", "relu_"),
    nn.ReLU6: (F.relu6,),
    nn.LeakyReLU: (F.leaky_relu, F.leaky_relu_),
    nn.ELU: (F.elu, F.elu_),
    nn.GELU: (F.gelu,),
    nn.SiLU: (F.silu,),
    nn.Mish: (F.mish,),
    nn.Softplus: (F.softplus,),
    nn.Hardswish: (F.hardswish,),
    nn.Hardsigmoid: (F.hardsigmoid,),
    nn.Sigmoid: (F.sigmoid, torch.sigmoid, torch.sigmoid_, "sigmoid", "sigmoid_"),
    nn.Tanh: (F.tanh, torch.tanh, torch.tanh_, "tanh", "tanh_"),
}
ACTIVATIONS = (*_ACTIVATIONS, nn.SELU, nn.CELU, nn.Hardtanh, nn.LogSigmoid, nn.Softsign)
"""Modules that act on each number by itself."""

_GONE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
_GONE_CALLS = (F.dropout, F.dropout2d, F.dropout3d, F.alpha_dropout, torchvision.ops.stochastic_depth)

_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
_DIFFERENCES = (operator.sub, operator.isub, torch.sub, "sub", "sub_")
_PRODUCTS = (operator.mul, operator.imul, torch.mul, "mul", "mul_")
_QUOTIENTS = (operator.truediv, operator.itruediv, torch.div, "div", "div_")
_IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)


def _max_pool(
    kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> nn.Module:
    return nn.MaxPool2d(kernel_size, stride or kernel_size, padding, dilation, ceil_mode=ceil_mode)


def _mean(dim: Any, keepdim: bool = False) -> nn.Module:
    return Mean(dim if isinstance(dim, (tuple, list)) else (dim,), keepdim)


_CALLS: dict[Any, Callable[..., nn.Module]] = {
    F.max_pool2d: _max_pool,
    F.avg_pool2d: nn.AvgPool2d,
    F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    torch.mean: _mean,
    "mean": _mean,
    **{call: made for made, calls in _ACTIVATIONS.items() for call in calls},
}
"""Functions and methods of one signal, and what makes the module that does the same, from their other arguments."""


def rewrite(network: fx.GraphModule) -> None:
    """Give each step a module of its own, in place of what was traced. The nodes know what :func:`look` noted."""
    _Surgery(network).all()


def look(network: fx.GraphModule, image: Tensor) -> None:
    """Note at every node of a traced network what it gives for one image, and where it stands.

    ``meta["shape"]`` is the shape of a tensor, or None; ``meta["live"]`` says whether it depends on the image;
    ``meta["path"]`` is the name of the layer in the network that was traced, or what the call is named within one;
    ``meta["norm"]`` the name of the BatchNorm that was folded into it, where there was one.
    """
    shapes = _Shapes(network)
    with torch.no_grad():
        shapes.run(image)
    for node in network.graph.nodes:
        node.meta["shape"] = shapes.found.get(node)
        fed = node.op == "placeholder" or any(above.meta["live"] for above in node.all_input_nodes)
        node.meta["live"] = fed and shapes.carries.get(node, False)
        if "path" not in node.meta:
            within = next(reversed(node.meta.get("nn_module_stack") or {"": None}))
            called = str(getattr(node.target, "__name__", node.target)).removesuffix("_")
            called = "max_pool2d" if node.target is F.max_pool2d else called
            node.meta["path"] = node.target if node.op == "call_module" else ".".join(filter(None, (within, called)))


class _Shapes(fx.Interpreter):
    """Runs a network and keeps the shape of what each node gives."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.found: dict[fx.Node, tuple[int, ...]] = {}
        self.carries: dict[fx.Node, bool] = {}

    def run_node(self, n: fx.Node) -> Any:
        made = super().run_node(n)
        if isinstance(made, Tensor):
            self.found[n] = tuple(made.shape)
        parts = made if isinstance(made, (tuple, list)) else (made,)
        self.carries[n] = any(isinstance(part, Tensor) for part in parts) and not isinstance(made, torch.Size)
        return made


class _Surgery:
    """One rewriting of one network."""

    def __init__(self, network: fx.GraphModule) -> None:
        self.network = network
        self.graph = network.graph
        self.order = {node: i for i, node in enumerate(self.graph.nodes)}
        self.seen: set[Any] = set()

    def all(self) -> None:
        for node in list(self.graph.nodes):
            if node.op == "call_module":
                self._site(node)
            elif node.op in ("call_function", "call_method") and node.meta["live"]:
                self._call(node)
        self._fold()
        self.graph.eliminate_dead_code()
        self.network.delete_all_unused_submodules()
        self.network.recompile()

    def _site(self, node: fx.Node) -> None:
        module: Any = self.network.get_submodule(str(node.target))
        if isinstance(module, _GONE):
            self._swap(node, node.args[0])
            return
        if node.target in self.seen:
            module = copy.deepcopy(module)
            node.target = self._add(module, str(node.target))
        self.seen.add(node.target)
        if getattr(module, "inplace", False):
            module.inplace = False
            self._rebind(node, node)

    def _call(self, node: fx.Node) -> None:
        args, kwargs = list(node.args), dict(node.kwargs)
        if kwargs.pop("inplace", False) or node.target in _IN_PLACE or _named(node).endswith("_"):
            self._rebind(node, node)
        if node.target in _GONE_CALLS:
            self._swap(node, args[0])
        elif node.target is F.layer_norm:
            self._layer_norm(node)
        elif node.target is F.batch_norm:
            self._batch_norm(node)
        elif node.target in _SUMS + _DIFFERENCES + _PRODUCTS + _QUOTIENTS:
            self._arithmetic(node)
        elif node.target in (operator.neg, torch.neg, "neg"):
            self._swap(node, self._insert(node, Scale(), args[0], -1.0))
        elif node.target in _CALLS:
            given = [kwargs.pop("input")] if "input" in kwargs else []
            signal, *others = given + args
            kwargs.pop("return_indices", None)
            try:
                module: Any = _CALLS[node.target](*others, **kwargs)
            except TypeError:
                return  # called as its module cannot be: it stays a call, which methods refuse by name
            if getattr(module, "inplace", False):  # by position: relu(x, True)
                module.inplace = False
                self._rebind(node, node)
            self._swap(node, self._insert(node, module, signal))

    def _arithmetic(self, node: fx.Node) -> None:
        if node.kwargs or len(node.args) != 2:
            return
        one, other = node.args
        live = [isinstance(x, fx.Node) and x.meta["live"] for x in (one, other)]
        if node.target in _PRODUCTS + _SUMS:
            both: nn.Module
            both, constant = (Product(), Scale()) if node.target in _PRODUCTS else (Addition(), Shift())
            if all(live):
                self._swap(node, self._insert(node, both, one, other))
            else:
                signal, by = (one, other) if live[0] else (other, one)
                self._swap(node, self._insert(node, constant, signal, by))
        elif node.target in _DIFFERENCES:
            minus = self._insert(node, Scale(), other, -1.0) if live[1] else self._constant(node, operator.neg, other)
            both = Addition() if all(live) else Shift()
            first, second = (one, minus) if live[0] else (minus, one)
            self._swap(node, self._insert(node, both, first, second))
        elif not live[1]:
            self._swap(node, self._insert(node, Scale(), one, self._constant(node, torch.reciprocal, other)))

    def _constant(self, node: fx.Node, function: Callable[..., Any], of: Any) -> Any:
        """A function of what does not depend on the image: worked out now, or by a node of its own."""
        if not isinstance(of, fx.Node):
            return float(function(torch.tensor(float(of))))
        with self.graph.inserting_before(node):
            made = self.graph.call_function(function, (of,))
        made.meta = dict(of.meta)
        return made

    def _layer_norm(self, node: fx.Node) -> None:
        names = ("input", "normalized_shape", "weight", "bias", "eps")
        given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
        tensors = self._held(given, "weight", "bias")
        if tensors is None:
            return
        shape: Any = given["normalized_shape"]
        eps: Any = given.get("eps", 1e-5)
        module: Any = nn.LayerNorm(shape, eps=eps, elementwise_affine=bool(tensors))
        if tensors:
            module.weight = nn.Parameter(tensors["weight"].detach(), requires_grad=False)
            module.bias = nn.Parameter(tensors["bias"].detach(), requires_grad=False) if "bias" in tensors else None
        self._swap(node, self._insert(node, module, given["input"]))

    def _batch_norm(self, node: fx.Node) -> None:
        names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
        tensors = self._held(given, *names[1:5])
        shape = given["input"].meta["shape"] if isinstance(given["input"], fx.Node) else None
        affine = len({"weight", "bias"} & set(tensors or ()))
        if tensors is None or shape is None or given.get("training") or "running_var" not in tensors or affine == 1:
            return
        kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)]
        eps: Any = given.get("eps", 1e-5)
        module: Any = kind(shape[1], eps=eps, affine=bool(affine))
        for name, tensor in tensors.items():
            held = tensor.detach()
            setattr(module, name, nn.Parameter(held, requires_grad=False) if name in ("weight", "bias") else held)
        self._swap(node, self._insert(node, module, given["input"]))

    def _held(self, given: dict[str, Any], *names: str) -> dict[str, Tensor] | None:
        """The tensors of the network that a call is given under these names; None if one is worked out as it runs."""
        tensors = {}
        for name in names:
            source = given.get(name)
            if source is None:
                continue
            if not isinstance(source, fx.Node) or source.op != "get_attr":
                return None
            tensors[name] = operator.attrgetter(str(source.target))(self.network)
        return tensors

    # -- BatchNorm --------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        for node in list(self.graph.nodes):
            if node.op != "call_module" or not isinstance(node.args[0], fx.Node):
                continue
            above = node.args[0]
            norm: Any = self.network.get_submodule(str(node.target))
            if above.op != "call_module" or len(above.users) != 1 or getattr(norm, "running_mean", None) is None:
                continue
            layer: Any = self.network.get_submodule(str(above.target))
            if type(layer) in (nn.Conv1d, nn.Conv2d, nn.Conv3d) and type(norm) in (
                nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
            ):  # fmt: skip
                folded: nn.Module = fuse_conv_bn_eval(layer, norm)
            elif type(layer) is nn.Linear and type(norm) is nn.BatchNorm1d and len(above.meta["shape"]) == 2:
                folded = fuse_linear_bn_eval(layer, norm)
            else:
                continue
            above.target = self._add(folded.requires_grad_(False), str(above.target))
            above.meta["norm"] = node.meta["path"]
            self._swap(node, above)

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _add(self, module: nn.Module, near: str) -> str:
        """A module under a name that is free, which tells where it came from."""
        stem = near.replace(".", "_") or type(module).__name__.lower()
        name, n = stem, 1
        while hasattr(self.network, name):
            name, n = f"{stem}_{n}", n + 1
        self.network.add_submodule(name, module.eval())
        return name

    def _insert(self, node: fx.Node, module: nn.Module, *args: Any) -> fx.Node:
        name = self._add(module, node.meta["path"])
        with self.graph.inserting_before(node):
            made = self.graph.call_module(name, args)
        made.meta = dict(node.meta)
        return made

    def _swap(self, node: fx.Node, other: Any) -> None:
        node.replace_all_uses_with(other)
        self.graph.erase_node(node)

    def _rebind(self, node: fx.Node, made: fx.Node) -> None:
        """What is computed in place is seen by all that use its input afterwards: let them use its output."""
        changed = node.all_input_nodes[0]
        changed.replace_all_uses_with(
            made, delete_user_cb=lambda user: self.order.get(user, -1) > self.order[node] and user is not made
        )


def _named(node: fx.Node) -> str:
    name = str(getattr(node.target, "__name__", node.target))
    return name if not name.startswith("_") else ""
