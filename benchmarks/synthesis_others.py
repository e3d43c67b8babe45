"""What ``synthesis.py`` compares with, run in an environment of its own; and the networks and images of both.

VENV/bin/python benchmarks/synthesis_others.py '{"what": "lucent", "net": "emoji-resnet", ...}'
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from gifthorse.classifier import Classifier
from gifthorse.images import from_uint8
from gifthorse.zoo import DATA, NETWORKS


def network(name: str, precision: str = "auto") -> Classifier:
    """A network of the zoo with its weights, or one of torchvision's with random ones."""
    if name in NETWORKS:
        found: Classifier = NETWORKS.make(name).load(None, device="cpu", precision=precision)
        return found
    import torchvision

    torch.manual_seed(0)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    module = getattr(torchvision.models, name)(weights=None)
    classes = tuple(map(str, range(1000)))
    return Classifier(
        module, classes=classes, size=224, mean=mean, std=std, device="cpu", precision=precision, name=name
    )


TARGET = 3


def target(net: Classifier) -> int:
    """One class as good as another; of ResNet-50 with random weights the one that it thinks likeliest of its pictures:
    what goes through it grows with depth, and the best picture of any other is a grey one."""
    if net.name != "resnet50":
        return TARGET
    with torch.no_grad():
        return int(net(pictures(net.name, 16)).mean(0).argmax())


def pictures(name: str, count: int, seed: int = 0) -> Tensor:
    """Scenes for the emoji networks, smooth noise for the others: ``(count, 3, size, size)`` in [0, 1]."""
    if name.startswith("emoji"):
        return from_uint8(DATA.make("emoji").draw("test", count, seed).images)
    drawn = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(drawn, size=224, mode="bilinear")


class Normalised(nn.Module):
    """The module on images in [0, 1], in float32 and the default layout, as both libraries are given it."""

    def __init__(self, net: Classifier) -> None:
        super().__init__()
        self.net = net.module.to(memory_format=torch.contiguous_format)
        self.register_buffer("mean", torch.tensor(net.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(net.std).view(1, 3, 1, 1))
        self.logits = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.logits(self.net((x - self.mean) / self.std))
        return out


def lucent(order: dict[str, Any], net: Classifier) -> tuple[float, np.ndarray]:
    """Seconds for ``n`` pictures one after another, and the pictures ``(n, 3, size, size)``."""
    from lucent.optvis import param, render, transform

    model, size = Normalised(net).eval(), net.size
    part = size / 224
    steps = [
        transform.pad(max(1, round(12 * part)), mode="constant", constant_value=0.5),
        transform.jitter(max(2, round(8 * part))),
        transform.random_scale([1 + (i - 5) / 50.0 for i in range(11)]),
        transform.random_rotate(list(range(-10, 11)) + 5 * [0]),
        transform.jitter(max(2, round(4 * part))),
    ]
    drawn = {"fourier_target": lambda: param.image(size), "cppn_target": lambda: param.cppn(size)}[order["method"]]
    rate = 5e-2 if order["method"] == "fourier_target" else 5e-3
    made = []
    start = time.perf_counter()
    for _ in range(order["n"]):
        found = render.render_vis(
            model,
            f"logits:{target(net)}",
            drawn,
            optimizer=lambda params: torch.optim.Adam(params, lr=rate),
            transforms=steps,
            thresholds=(order["steps"],),
            preprocess=False,
            progress=False,
            show_image=False,
            fixed_image_size=size,
        )
        made.append(found[-1][0].transpose(2, 0, 1))
    return time.perf_counter() - start, np.stack(made)


def art(order: dict[str, Any], net: Classifier) -> tuple[float, np.ndarray]:
    """Seconds for ``n`` patches one after another, each with so many passes, and the patches."""
    from art.attacks.evasion import AdversarialPatchPyTorch
    from art.estimators.classification import PyTorchClassifier

    side, batch = round(net.size * 2 / 7), 16
    estimator = PyTorchClassifier(
        Normalised(net).eval(),
        loss=nn.CrossEntropyLoss(),
        input_shape=(3, net.size, net.size),
        nb_classes=len(net.classes),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    images = pictures(order["net"], 96).numpy()
    labels = np.full(len(images), target(net))
    steps = order["passes"] // (2 * batch)  # a forward and a backward pass of each image
    made = []
    start = time.perf_counter()
    for _ in range(order["n"]):
        attack = AdversarialPatchPyTorch(
            estimator,
            rotation_max=10.0,
            scale_min=side / net.size * 0.9,
            scale_max=side / net.size * 1.1,
            learning_rate=0.05,
            max_iter=max(1, round(steps * batch / len(images))),
            batch_size=batch,
            patch_shape=(3, net.size, net.size),
            patch_type="square",
            optimizer="Adam",
            targeted=True,
            verbose=False,
        )
        patch, _ = attack.generate(images, labels)
        made.append(patch)
    took = time.perf_counter() - start
    shown = nn.functional.interpolate(torch.from_numpy(np.stack(made)), size=side, mode="bilinear", antialias=True)
    return took, shown.clamp(0, 1).numpy()


def main() -> None:
    """Do what the one argument says, and leave seconds and pictures in a file."""
    order = json.loads(sys.argv[1])
    torch.set_num_threads(order["threads"])
    torch.manual_seed(order["seed"])
    np.random.seed(order["seed"])
    work = {"lucent": lucent, "art": art}[order["what"]]
    took, made = work(order, network(order["net"], "float32"))
    np.savez(order["out"], seconds=took, pictures=made.astype(np.float32))


if __name__ == "__main__":
    main()
