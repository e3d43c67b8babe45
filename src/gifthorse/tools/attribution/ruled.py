"""Running a network by rules: what a method puts in place of a layer's own gradient, without a hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal

Back = Callable[[Tensor], tuple[Tensor | None, ...]]
Step = Callable[..., tuple[Tensor, Back]]
Rule = Callable[..., Any]
"""``rule(node, module, *inputs)`` gives what the module would, by :func:`replaced` where its gradient is another."""


class Ruled(nn.Module):
    """A prepared network that runs by rules: for modules of the types named, theirs; for the rest, as it is.

    Args:
        network: of :func:`gifthorse.tools.attribution.prepared.prepared`; it is not changed.
        rules: by exact type.
        watch: told each node of the network with what it gives.
    """

    def __init__(
        self,
        network: fx.GraphModule,
        rules: Mapping[type[nn.Module], Rule] | None = None,
        watch: Callable[[fx.Node, Any], None] | None = None,
    ) -> None:
        super().__init__()
        self.training = False
        self._walk = _Walk(network, rules or {}, watch)

    def forward(self, normal: Tensor) -> Any:
        """Normalised images ``(N, 3, H, W)`` to what the network gives."""
        return self._walk.run(normal)


class _Walk(fx.Interpreter):
    def __init__(
        self,
        network: fx.GraphModule,
        rules: Mapping[type[nn.Module], Rule],
        watch: Callable[[fx.Node, Any], None] | None,
    ) -> None:
        super().__init__(network)
        self.extra_traceback = False  # it would turn a KeyError of a layer into another error
        self.rules, self.watch = rules, watch

    def run_node(self, n: fx.Node) -> Any:
        rule = self.rules.get(type(self.submodules[str(n.target)])) if n.op == "call_module" else None
        if rule is None:
            made = super().run_node(n)
        else:
            args, _ = self.fetch_args_kwargs_from_env(n)
            made = rule(n, self.submodules[str(n.target)], *args)
        if self.watch is not None:
            self.watch(n, made)
        return made


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, step: Step, *inputs: Tensor) -> Tensor:
        value, ctx.back = step(*inputs)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, *ctx.back(gradients[0])


def replaced(step: Step, *inputs: Tensor) -> Tensor:
    """A step of a network with a gradient of our own.

    Args:
        step: inputs to the value and to a function from what comes back to the value, to what goes back to each input.
            That function must not hold the value itself, or memory is freed late.
        inputs: tensors.
    """
    made: Tensor = _Replaced.apply(step, *inputs)
    return made


def backwards(
    classifier: Classifier, module: nn.Module, images: Tensor, targets: Tensor, *, weigh: bool = False
) -> tuple[Tensor, Tensor]:
    """What comes back to images ``(N, 3, H, W)`` in [0, 1] from their target logits, and those logits ``(N,)``.

    Args:
        module: in the network's place.
        weigh: start from the logit instead of from 1.

    Raises:
        Refusal: the logits have no gradient with respect to the images.
    """
    leaf = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        logits = classifier.through(module, leaf)
        require_gradient(classifier, logits)
        chosen = logits.gather(1, targets[:, None])[:, 0]
    start = chosen.detach() if weigh else torch.ones_like(chosen)
    (back,) = torch.autograd.grad(chosen, leaf, start)
    return back.detach(), chosen.detach()


def require_gradient(classifier: Classifier, logits: Tensor) -> None:
    """Nothing, if logits depend differentiably on what they were made from.

    Raises:
        Refusal: they do not.
    """
    if not logits.requires_grad:
        raise Refusal(
            f"the logits of {classifier.name} have no gradient with respect to its input",
            "use a method that only runs the network forward, such as occlusion",
        )
