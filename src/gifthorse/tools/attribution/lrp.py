"""Layer-wise relevance propagation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError, nearest
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.engine import batches, check_reduction, reduce_channels
from gifthorse.tools.attribution.prepared import prepared
from gifthorse.tools.attribution.relevance import KNOWN, RULES, Account, Choice, joined, rules_for
from gifthorse.tools.attribution.ruled import Ruled, backwards


class Lrp(Attribution):
    """The target logit, handed down layer by layer to the pixels in proportion to their contributions.

    Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
    Propagation". Our own, on a prepared copy of the network: Captum's gives sums of 1e6 for logits of 1.7 on residual
    networks. Rules: convolution and linear layer as the setting ``rules`` says; BatchNorm folded where it follows
    one of these directly, else the epsilon rule; mean pooling and residual additions the epsilon rule; maxima to the
    largest; ReLU, ReLU6, LeakyReLU, ELU, Tanh and factors that do not depend on the image hand relevance on. Other
    activations (SiLU, GELU, Hardswish), LayerNorm, products of signals and attention are refused. A pixel has the
    relevance of its normalised value; what the biases receive is in :func:`conservation`, layer by layer. One forward
    and one backward pass an image.

    Attributes:
        rules: ``epsilon`` everywhere (our choice: the one whose map and biases add up to the logit for any weights),
            ``zplus`` (Bach et al.'s alpha 1 beta 0, as in Montavon et al. 2017), ``gamma`` (Montavon et al. 2019,
            section 10.2, generalised to inputs of both signs as in Andeol et al. 2021), ``epsilon_plus`` (epsilon at
            linear layers, zplus at convolutions: Kohlbrenner et al. 2020), or ``epsilon_gamma_box`` (gamma at
            convolutions, epsilon at linear layers, and at the first layer the box rule of Montavon et al. 2017, whose
            box is what [0, 1] becomes by normalisation). Where nothing positive comes in, as at a negative output of a
            shortcut without a ReLU, zplus hands on by the epsilon rule: what it has there would vanish (our choice).
        epsilon: what denominators are moved away from 0 by. 1e-6 is our choice, as in Zennit.
        gamma: how much more positive weights count under the gamma rule. A quarter is Montavon et al.'s.
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: a map and the biases then add up to the logit), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients"})

    rules: str = "epsilon"
    epsilon: float = 1e-6
    gamma: float = 0.25
    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        if self.rules not in RULES:
            raise UsageError(f"rules is {self.rules!r}", nearest(self.rules, RULES))
        if not self.epsilon > 0 or not self.gamma >= 0:
            raise UsageError(f"epsilon is {self.epsilon} and gamma {self.gamma}", "epsilon above 0, gamma from 0")
        check_reduction(self.sign, self.channels)

    def _explain(self, explained: Explained) -> Tensor:
        relevance, _, account = relevances(self, explained)
        explained.notes["relevance that the biases took"] = torch.stack([*account.biases.values()]).sum(0)
        return reduce_channels(relevance, self.sign, self.channels)


@dataclass(frozen=True, kw_only=True)
class Conservation:
    """Where the logits of some images went: ``logits = relevance + the biases + the stabilisers``, each ``(N,)``.

    Attributes:
        relevance: sum of each map.
        biases: by the path of each layer, top first, what its biases received.
        stabilisers: by the path of each layer, what epsilon received: 1e-6 of the logit or so.
    """

    logits: Tensor
    relevance: Tensor
    biases: dict[str, Tensor]
    stabilisers: dict[str, Tensor]


def conservation(tool: Lrp, classifier: Classifier, images: Tensor, targets: Tensor) -> Conservation:
    """Where the target logits went under a tool's rules.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        targets: ``(N,)`` int64.

    Raises:
        InputError: images that are not what they should be.
        Refusal: the rules cannot do this network.
    """
    explained = Explained(
        classifier=classifier,
        images=classifier.checked(images).to(classifier.device, torch.float32),
        targets=targets.to(classifier.device),
        references=None,
        generators=(),
        batch=classifier.micro_batch,
    )
    with classifier.in_float32():
        relevance, logits, account = relevances(tool, explained)
    return Conservation(
        logits=logits.cpu(),
        relevance=relevance.flatten(1).sum(1).cpu(),
        biases={path: taken.cpu() for path, taken in account.biases.items()},
        stabilisers={path: taken.cpu() for path, taken in account.stabilisers.items()},
    )


def relevances(tool: Lrp, explained: Explained) -> tuple[Tensor, Tensor, Account]:
    """Relevance ``(N, 3, H, W)``, target logits ``(N,)``, and what biases and stabilisers received."""
    classifier = explained.classifier
    network = prepared(explained, "LRP", KNOWN)
    mean, std = (explained.images.new_tensor(x).view(1, 3, 1, 1) for x in (classifier.mean, classifier.std))
    choice = Choice(rules=tool.rules, epsilon=tool.epsilon, gamma=tool.gamma, box=(-mean / std, (1 - mean) / std))
    parts, logits, accounts = [], [], []
    for images, targets in batches(explained):
        accounts.append(Account())
        module = Ruled(network, rules_for(network, choice, accounts[-1]))
        back, chosen = backwards(classifier, module, images, targets, weigh=True)
        parts.append(back * std)  # the normalisation, which has no rule, divided by it on the way down
        logits.append(chosen)
    return torch.cat(parts), torch.cat(logits), joined(accounts)
