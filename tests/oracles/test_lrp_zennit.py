"""LRP beside Zennit's (LGPL, tests only), on networks and with rules that both have."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fixtures_nets import one_thread, pictures
from fixtures_torchvision import stock
from torch import Tensor

from gifthorse.tools.attribution.lrp import Lrp

zennit = pytest.importorskip("zennit", reason="zennit is not installed: pip install 'gifthorse[dev]'")

from zennit.attribution import Gradient  # noqa: E402
from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.composites import (  # noqa: E402
    EpsilonGammaBox,
    EpsilonPlus,
    LayerMapComposite,
)
from zennit.rules import Epsilon, Gamma, Norm, Pass, ZPlus  # noqa: E402
from zennit.torchvision import ResNetCanonizer  # noqa: E402
from zennit.types import Activation, AvgPool, Convolution, Linear  # noqa: E402

__all__ = ["one_thread"]


def everywhere(rule: Callable[[], Any]) -> Callable[[list[Any]], Any]:
    """One rule at convolutions and linear layers, as zennit's other composites otherwise."""

    def made(canonizers: list[Any]) -> Any:
        import zennit.layer

        layers = [
            (Activation, Pass()), (zennit.layer.Sum, Norm()), (AvgPool, Norm()),
            (Convolution, rule()), (Linear, rule()),
        ]  # fmt: skip
        return LayerMapComposite(layers, canonizers=canonizers)

    return made


COMPOSITES: dict[str, Callable[[list[Any]], Any]] = {
    "epsilon": everywhere(Epsilon),
    "zplus": everywhere(ZPlus),
    "gamma": everywhere(Gamma),
    "epsilon_plus": lambda canonizers: EpsilonPlus(canonizers=canonizers),
    "epsilon_gamma_box": lambda canonizers: EpsilonGammaBox(low=-2.0, high=2.0, canonizers=canonizers),
}


@pytest.mark.parametrize("rules", COMPOSITES)
@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn", "resnet18"])
def test_equals_zennit(name: str, rules: str) -> None:
    net = stock(name)
    images = pictures(2, size=64)
    normal = (images - 0.5) / 0.25
    with torch.no_grad():
        targets = net(images).abs().argmax(1)
    canonizers = [ResNetCanonizer()] if name == "resnet18" else [SequentialMergeBatchNorm()]
    with Gradient(copy.deepcopy(net.module), COMPOSITES[rules](canonizers)) as attributor:

        def start(logits: Tensor) -> Tensor:
            return torch.zeros_like(logits).scatter(1, targets[:, None], logits.detach().gather(1, targets[:, None]))

        _, relevance = attributor(normal.clone().requires_grad_(), start)
    found = Lrp(rules=rules)(net, images, targets).values
    expected = relevance.detach().sum(1)
    assert float((found - expected).abs().max()) <= 1e-3 * float(expected.abs().max())
