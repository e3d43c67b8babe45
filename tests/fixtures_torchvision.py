"""Torchvision's networks with random weights and few classes, as classifiers of small images."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from gifthorse.classifier import Classifier

CLASSES = tuple("abcdefghij")


def stock(name: str, size: int = 64) -> Classifier:
    """One of torchvision's networks; BatchNorm's statistics are those of noise, so that signals reach the logits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        special = {"image_size": size} if name.startswith("vit") else {}
        module = getattr(torchvision.models, name)(num_classes=len(CLASSES), **special)
        for layer in module.modules():
            if isinstance(layer, nn.Linear) and not layer.weight.any():
                nn.init.normal_(layer.weight, std=0.1)  # a vision transformer's head starts at zero
        norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
        if norms:
            for norm in norms:
                norm.momentum = None
            with torch.no_grad():
                module.train()(torch.randn(16, 3, size, size))
    return Classifier(
        module.eval(), classes=CLASSES, size=size, mean=(0.5,) * 3, std=(0.25,) * 3, name=name, device="cpu",
        precision="float32",
    )  # fmt: skip
