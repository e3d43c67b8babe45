"""Peak memory of attribution methods, measured in a process of its own: prints one JSON object.

``peaks.py MIB``: for each case the bytes that a method took above what the process had, with one sample, with many
samples inside a budget of so many MiB, and with all of them in one batch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gifthorse.classifier import Classifier
from gifthorse.tools import tool

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
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) << 20)
