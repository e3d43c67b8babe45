"""Torchvision's networks with random weights and few classes, as classifiers of small images."""

from __future__ import annotations

import torch
import torchvision
from fixtures_nets import pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier

CLASSES = tuple("abcdefghij")


def stock(name: str, size: int = 64, calm: bool = False) -> Classifier:
    """One of torchvision's networks, whose signals reach the logits.

    Args:
        name: of torchvision.
        size: side of the images.
        calm: BatchNorm's statistics are those of noise and of dark to light pictures, and residual branches of ResNets
            have a tenth of their size, which is near torchvision's ``zero_init_residual`` (Goyal et al. 2017, section
            5.1). With weights as they are drawn, the logits of fifty layers jump so often between black and a picture
            that 1600 steps do not integrate their gradients to 1%.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        special = {"image_size": size} if name.startswith("vit") else {}
        module = getattr(torchvision.models, name)(num_classes=len(CLASSES), **special)
        for layer in module.modules():
            if isinstance(layer, nn.Linear) and not layer.weight.any():
                nn.init.normal_(layer.weight, std=0.1)  # a vision transformer's head starts at zero
        if calm:
            _soften(module)
        settle(
            module,
            torch.cat([torch.randn(24, 3, size, size), lit(8, size)]) if calm else torch.randn(16, 3, size, size),
        )
    return Classifier(
        module.eval(), classes=CLASSES, size=size, mean=(0.5,) * 3, std=(0.25,) * 3, name=name, device="cpu",
        precision="float32",
    )  # fmt: skip


def _soften(module: nn.Module) -> None:
    """Residual branches of a ResNet with a tenth of their size."""
    last = {torchvision.models.resnet.BasicBlock: "bn2", torchvision.models.resnet.Bottleneck: "bn3"}
    for block in module.modules():
        if type(block) in last:
            nn.init.constant_(getattr(block, last[type(block)]).weight, 0.1)


def settle(module: nn.Module, seen: Tensor) -> None:
    """Give every BatchNorm the statistics of some normalised images."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        with torch.no_grad():
            module.train()(seen)


def lit(n: int, size: int) -> Tensor:
    """Normalised pictures from dark to full light: what lies between black and a picture. ``(n, 3, size, size)``."""
    return (pictures(n, seed=9, size=size) * torch.linspace(0, 1, n).view(-1, 1, 1, 1) - 0.5) / 0.25
