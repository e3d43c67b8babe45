"""LRP beside Zennit's (LGPL, tests only), on networks and with rules that both have."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fixtures_nets import one_thread
from fixtures_torchvision import stock
from torch import Tensor, nn

from gifthorse.tools.attribution.lrp import Lrp
from gifthorse.zoo import NETWORKS

zennit = pytest.importorskip("zennit", reason="zennit is not installed: pip install 'gifthorse[dev]'")

from zennit.attribution import Gradient  # noqa: E402
from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.composites import (  # noqa: E402
    EpsilonGammaBox,
    EpsilonPlus,
    LayerMapComposite,
)
from zennit.layer import Sum  # noqa: E402
from zennit.rules import Epsilon, Gamma, Norm, Pass, ZPlus  # noqa: E402
from zennit.torchvision import ResNetCanonizer  # noqa: E402
from zennit.types import Activation, AvgPool, Convolution, Linear  # noqa: E402

__all__ = ["one_thread"]


def everywhere(rule: Callable[[], Any]) -> Callable[[list[Any]], Any]:
    """One rule at convolutions and linear layers, as zennit's other composites otherwise."""

    def made(canonizers: list[Any]) -> Any:
        others = [(Activation, Pass()), (Sum, Norm()), (AvgPool, Norm())]
        return LayerMapComposite([*others, (Convolution, rule()), (Linear, rule())], canonizers=canonizers)

    return made


COMPOSITES: dict[str, Callable[[list[Any]], Any]] = {
    "epsilon": everywhere(Epsilon),
    "zplus": everywhere(ZPlus),
    "gamma": everywhere(Gamma),
    "epsilon_plus": lambda canonizers: EpsilonPlus(canonizers=canonizers),
    "epsilon_gamma_box": lambda canonizers: EpsilonGammaBox(low=-2.0, high=2.0, canonizers=canonizers),
}


@pytest.mark.parametrize("rules", COMPOSITES)
@pytest.mark.parametrize("name", ["emoji-vgg", "resnet18", pytest.param("vgg11", marks=pytest.mark.slow)])
def test_equals_zennit(name: str, rules: str) -> None:
    net = NETWORKS.make(name).load(device="cpu", precision="float32") if name == "emoji-vgg" else stock(name)
    for norm in net.module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 0.0  # zennit's merged BatchNorm still divides by sqrt(1 + eps): 5e-6 a layer
    # noise: flat regions have near-ties between maxima, which rounding decides (zennit's float32 and float64 maps
    # of smooth pictures differ more than ours from its)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
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
