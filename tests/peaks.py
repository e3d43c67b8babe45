"""Peak memory of methods, measured in a process of its own: prints one JSON object.

``peaks.py MIB``: for each case the bytes that a method took above what the process had, with one sample or finding,
with many inside a budget of so many MiB, and with all of them in one batch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from fixtures_generator import NAMES, larger
from torch import nn

from gifthorse.classifier import Classifier
from gifthorse.tools import tool
from gifthorse.tools.synthesis.base import brief

SIZE, REFERENCES, ALL = 160, 96, 300

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lime": ({"cells": 4, "samples": 2}, {"cells": 4, "samples": 300}),
    "kernel_shap": ({"cells": 8, "samples": 2}, {"cells": 8, "samples": 300}),
    "feature_permutation": ({"cells": 1, "draws": 1}, {"cells": 4, "draws": 16}),
    "integrated_gradients": ({"steps": 1, "tolerance": 1e9}, {"steps": 100, "tolerance": 1e9}),
    "gradient_shap": ({"samples": 1}, {"samples": 100}),
    "deeplift_shap": ({"baselines": 1}, {"baselines": 96}),
}
"""Settings with one sample, or as few as there can be, and with many."""


FINDINGS: dict[str, tuple[dict[str, Any], int]] = {
    "cppn_target": ({"steps": 1, "screenings": 1}, 12),
    "rfla_perturb": ({"steps": 1, "screenings": 1, "side": 18}, 50),
    "rfla_region": ({"steps": 1, "screenings": 1, "cut": 8}, 30),
    "rfla_generate": ({"steps": 1, "screenings": 1, "side": 18}, 50),
}
"""Settings, and many findings."""


def reading(name: str) -> int:
    """Bytes that the kernel has under a name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def network(memory: int) -> Classifier:
    """Quick, and with activations of 4 MiB an image."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip
    return Classifier(module, classes="abcd", size=SIZE, memory=memory, device="cpu", precision="float32")


def main(memory: int) -> None:
    """Every case, one after another: large blocks go back to the kernel when they are freed (see the environment)."""
    torch.set_num_threads(1)
    net = network(memory)
    images, references = torch.rand(8, 3, SIZE, SIZE), torch.rand(REFERENCES, 3, SIZE, SIZE)
    references[:8] = images  # a pool that holds what is explained

    def peak(name: str, settings: dict[str, Any], count: int, batch: int | None) -> int:
        method = tool(name, **settings)
        Path("/proc/self/clear_refs").write_text("5")
        before = reading("VmRSS")
        method(net, images[:count], 1, references=references, batch=batch)
        return reading("VmHWM") - before

    found = {}
    for name, (one, many) in CASES.items():
        peak(name, one, 1, 1)  # what is made once a process is made here
        found[name] = {
            "one": peak(name, one, 1, 1),
            "many": peak(name, many, 1, None),
            "all": peak(name, many, 1, ALL),
        }
    found["several images"] = {
        "one": found["feature_permutation"]["one"],
        "many": peak("feature_permutation", {"cells": 2, "draws": 2}, 8, None),
    }
    for name, (settings, n) in FINDINGS.items():
        found[name] = {
            "one": made(name, settings, 1, memory),
            "many": made(name, settings, n, memory),
            "all": made(name, settings, n, 1 << 40),
        }
    sys.stdout.write(json.dumps(found) + "\n")


def made(name: str, settings: dict[str, Any], n: int, memory: int) -> int:
    """Bytes that a synthesis method took for ``n`` findings."""
    generator, disguise = larger(memory)
    head = nn.Linear(4, len(NAMES))
    net = Classifier(
        nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head),
        classes=NAMES, size=SIZE if name == "cppn_target" else generator.size, memory=memory, device="cpu",
        precision="float32",
    )  # fmt: skip
    given, method = brief(1, torch.rand(8, 3, net.size, net.size)), tool(name, **settings)
    assets: dict[str, Any] = {"generator": generator, "scenes": generator, "disguise": disguise}
    method(net, *given, n=1, keep=1, budget=100, assets=assets)  # what is made once a process is made here
    Path("/proc/self/clear_refs").write_text("5")
    before = reading("VmRSS")
    method(net, *given, n=n, keep=1, budget=100 * n, assets=assets)
    return reading("VmHWM") - before


if __name__ == "__main__":
    main(int(sys.argv[1]) << 20)
