"""Layer-wise relevance propagation: a stated rule for each kind of layer, and an account of what biases take.

The target logit is handed down, layer by layer, to the inputs in proportion to their contributions z_jk to each sum
z_k = sum_j z_jk + b_k: ``R_j = sum_k z_jk / (z_k + eps sign(z_k)) R_k`` (Bach et al. 2015, equations 56 and 58, epsilon
as in Zennit). What the terms b_k and eps receive leaves the map; it is counted for each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from gifthorse.tools.attribution.parts import Addition, Scale, Shift
from gifthorse.tools.attribution.prepared import AFFINE, AVERAGES, CONVOLUTIONS, NORMS
from gifthorse.tools.attribution.ruled import Back, Rule, replaced

PASSING = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Hardtanh)
"""Activations that keep the order and the sign of what they are given: they hand relevance on as it is."""

KNOWN = (*AFFINE, *PASSING, nn.MaxPool2d, nn.AdaptiveMaxPool2d)

RULES = ("epsilon", "zplus", "gamma", "epsilon_plus", "epsilon_gamma_box")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which rule stands at which layer.

    Attributes:
        rules: one of :data:`RULES`.
        epsilon: of every denominator.
        gamma: how much more positive weights count under the gamma rule.
        box: what a normalised pixel is at least and at most, ``(1, 3, 1, 1)`` each, for the box rule.
    """

    rules: str
    epsilon: float
    gamma: float
    box: tuple[Tensor, Tensor]


@dataclass
class Account:
    """What left the maps of a batch on the way down, by layer.

    Attributes:
        biases: path of a layer to what its biases received, ``(N,)``.
        stabilisers: path of a layer to what its epsilon received, ``(N,)``.
    """

    biases: dict[str, Tensor] = field(default_factory=dict)
    stabilisers: dict[str, Tensor] = field(default_factory=dict)

    def book(self, path: str, bias: Tensor, stabiliser: Tensor) -> None:
        """Add what a layer took, ``(N,)`` each; a layer may take several times."""
        for told, taken in ((self.biases, bias), (self.stabilisers, stabiliser)):
            told[path] = told[path] + taken if path in told else taken


def joined(accounts: Sequence[Account]) -> Account:
    """The accounts of batches, as one."""
    first = accounts[0]
    return Account(
        biases={path: torch.cat([one.biases[path] for one in accounts]) for path in first.biases},
        stabilisers={path: torch.cat([one.stabilisers[path] for one in accounts]) for path in first.stabilisers},
    )


def rules_for(network: fx.GraphModule, choice: Choice, account: Account) -> dict[type[nn.Module], Rule]:
    """The rules for each type of module of a prepared network, which write into an account as they run backwards."""
    entries = {node.name for node in network.graph.nodes if node.op == "placeholder"}
    keep = _Bookkeeper(choice.epsilon, account)

    def weighted(node: fx.Node, module: nn.Module, *inputs: Any) -> Tensor:
        first = any(above.name in entries for above in node.all_input_nodes)
        branches = _branches(choice, module, first)
        return replaced(lambda x: _linear(module, x, branches, keep.at(node)), *inputs)

    def affine(node: fx.Node, module: nn.Module, x: Tensor) -> Tensor:
        return replaced(lambda given: _affine(module, given, keep.at(node)), x)

    def addition(node: fx.Node, _module: nn.Module, one: Tensor, other: Tensor) -> Tensor:
        return replaced(lambda a, b: _addition(a, b, keep.at(node)), one, other)

    def shift(node: fx.Node, _module: nn.Module, x: Tensor, by: Tensor | float) -> Tensor:
        return replaced(lambda given: _shift(given, by, keep.at(node)), x)

    def scale(_node: fx.Node, module: nn.Module, x: Tensor, by: Tensor | float) -> Tensor:
        return replaced(lambda given: (module(given, by), lambda r: (r.sum_to_size(given.shape),)), x)

    def passing(_node: fx.Node, module: nn.Module, x: Tensor) -> Tensor:
        return replaced(lambda given: (module(given), lambda r: (r,)), x)

    return {
        **dict.fromkeys((*CONVOLUTIONS, nn.Linear), weighted),
        **dict.fromkeys((*NORMS, *AVERAGES), affine),
        Addition: addition,
        Shift: shift,
        Scale: scale,
        **dict.fromkeys(PASSING, passing),
    }


# -- the denominators, and who gets what -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bookkeeper:
    """Divides relevance by stabilised sums, and writes down what biases and epsilon receive."""

    epsilon: float
    account: Account
    path: str = ""

    def at(self, node: fx.Node) -> _Bookkeeper:
        return _Bookkeeper(self.epsilon, self.account, node.meta["path"])

    def shares(self, relevance: Tensor, z: Tensor, bias: Tensor | float | None) -> Tensor:
        """``R / (z + eps sign z)``, to be multiplied by each contribution; ``bias`` broadcasts to z."""
        denominator = torch.copysign(z.new_tensor(self.epsilon), z).add_(z)
        share = torch.div(relevance, denominator, out=denominator)
        inner = tuple(range(1, z.ndim))
        if isinstance(bias, Tensor) and bias.ndim == z.ndim > 2 and bias.shape[1] == bias.numel():
            taken = share.sum(inner[1:]) @ bias.flatten()  # one for each channel
        else:
            taken = torch.zeros(len(z), device=z.device) if bias is None else (share * bias).sum(inner)
        # the epsilon's sign is the denominator's, so share times sign is a share with the relevance's sign
        self.account.book(self.path, taken, self.epsilon * torch.copysign(share, relevance).sum(inner))
        return share


# -- rules -------------------------------------------------------------------------------------------------------------

Pick = Callable[[Tensor], Tensor]
Term = tuple[Pick, Pick | None, Pick | None, float]
"""What is taken of the input, of the weights, of the bias (None: no bias), and the sign in the sum."""

Branch = tuple[Callable[[Tensor], Tensor] | None, Sequence[Term]]
"""The outputs whose relevance goes this way (None: all), and the terms whose sum divides it."""


def _whole(x: Tensor) -> Tensor:
    return x


EPSILON: Sequence[Term] = [(_whole, _whole, _whole, 1.0)]
"""Everything as it is: also where other rules find nothing to hand relevance to."""


def _positive(x: Tensor) -> Tensor:
    return x.clamp_min(0)


def _negative(x: Tensor) -> Tensor:
    return x.clamp_max(0)


def _branches(choice: Choice, module: nn.Module, first: bool) -> Sequence[Branch]:
    dense = isinstance(module, nn.Linear)
    if choice.rules == "epsilon_gamma_box" and first:
        low, high = choice.box
        return [
            (
                None,
                [
                    (_whole, _whole, None, 1.0),
                    (lambda x: low.expand_as(x).contiguous(), _positive, None, -1.0),
                    (lambda x: high.expand_as(x).contiguous(), _negative, None, -1.0),
                ],
            )
        ]
    if choice.rules == "epsilon" or (dense and choice.rules.startswith("epsilon_")):
        return [(None, EPSILON)]
    if choice.rules in ("zplus", "epsilon_plus"):
        return [(None, [(_positive, _positive, _positive, 1.0), (_negative, _negative, None, 1.0)])]

    def more(w: Tensor) -> Tensor:
        return w + choice.gamma * w.clamp_min(0)

    def less(w: Tensor) -> Tensor:
        return w + choice.gamma * w.clamp_max(0)

    above = [(_positive, more, more, 1.0), (_negative, less, None, 1.0)]
    below = [(_positive, less, less, 1.0), (_negative, more, None, 1.0)]
    return [(lambda y: y > 0, above), (lambda y: y < 0, below)]


def _terms(
    module: nn.Module, x: Tensor, y: Tensor, terms: Sequence[Term]
) -> tuple[list[Tensor], Tensor, Tensor | None]:
    """The inputs of some terms as leaves, their sum, and the bias in it where there is one."""
    own = dict(module.named_parameters())
    leaves: list[Tensor] = []
    bias: Tensor | None = None
    z: Tensor | None = None
    with torch.enable_grad():
        for part, of_weight, of_bias, sign in terms:
            leaf = part(x).detach().requires_grad_()
            if part is _negative and not bool(leaf.any()):
                continue  # behind a ReLU there is nothing negative: a sum of zeros
            weights = {"weight": (of_weight or _whole)(own["weight"])}
            if own.get("bias") is not None:
                weights["bias"] = torch.zeros_like(own["bias"]) if of_bias is None else of_bias(own["bias"])
                bias = bias if of_bias is None else weights["bias"]
            made = functional_call(module, weights, (leaf,))
            made = made if sign == 1.0 else sign * made
            z = made if z is None else z + made
            leaves.append(leaf)
    return leaves, torch.zeros_like(y) if z is None else z, bias


def _linear(module: nn.Module, x: Tensor, branches: Sequence[Branch], keep: _Bookkeeper) -> tuple[Tensor, Back]:
    """Convolution and linear layer; outputs of which a rule's own sum is 0 hand relevance on by the epsilon rule."""
    wide = (1, -1) + (1,) * (x.ndim - 2) if isinstance(module, CONVOLUTIONS) else (-1,)
    if len(branches) == 1 and branches[0] == (None, EPSILON):
        return _plainly(module, x, wide, keep)
    y = module(x)
    made = []
    for gate, terms in branches:
        leaves, z, bias = _terms(module, x, y, terms)
        made.append((None if gate is None else gate(y), leaves, z, bias))
        if gate is None and terms is not EPSILON and bool((barren := z.detach() == 0).any()):
            made[-1] = (~barren, leaves, z, bias)
            made.append((barren, *_terms(module, x, y, EPSILON)))

    def back(relevance: Tensor) -> tuple[Tensor]:
        total = torch.zeros_like(x)
        for mask, leaves, z, bias in made:
            going = relevance if mask is None else relevance * mask
            share = keep.shares(going, z.detach(), None if bias is None else bias.view(wide))
            for leaf, coming in zip(leaves, torch.autograd.grad(z, leaves, share), strict=True):
                total += coming.mul_(leaf.detach())
        return (total,)

    return y, back


def _plainly(module: nn.Module, x: Tensor, wide: tuple[int, ...], keep: _Bookkeeper) -> tuple[Tensor, Back]:
    """The epsilon rule, whose sum is what the layer gives: it is worked out once."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        z = module(leaf)
    bias = getattr(module, "bias", None)

    def back(relevance: Tensor) -> tuple[Tensor]:
        share = keep.shares(relevance, z.detach(), None if bias is None else bias.view(wide))
        (coming,) = torch.autograd.grad(z, leaf, share)
        return (coming.mul_(leaf.detach()),)

    return z.detach(), back


def _affine(module: nn.Module, x: Tensor, keep: _Bookkeeper) -> tuple[Tensor, Back]:
    """Mean pooling, and a BatchNorm that could not be folded: the epsilon rule."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        z = module(leaf)
    bias = module(torch.zeros_like(x[:1])) if isinstance(module, NORMS) else None

    def back(relevance: Tensor) -> tuple[Tensor]:
        (coming,) = torch.autograd.grad(z, leaf, keep.shares(relevance, z.detach(), bias))
        return (leaf.detach() * coming,)

    return z.detach(), back


def _addition(one: Tensor, other: Tensor, keep: _Bookkeeper) -> tuple[Tensor, Back]:
    """A residual addition: each summand in proportion to its value, by the epsilon rule."""

    def back(relevance: Tensor) -> tuple[Tensor, Tensor]:
        share = keep.shares(relevance, one + other, None)
        return (share * one).sum_to_size(one.shape), share.mul_(other).sum_to_size(other.shape)

    return one + other, back


def _shift(x: Tensor, by: Tensor | float, keep: _Bookkeeper) -> tuple[Tensor, Back]:
    """A constant that is added receives its share as a bias does."""

    def back(relevance: Tensor) -> tuple[Tensor]:
        return ((keep.shares(relevance, x + by, by) * x).sum_to_size(x.shape),)

    return x + by, back
