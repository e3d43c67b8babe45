"""What it gains to perturb all latents of a case as one batch, and what an attack costs beside its bare passes.

    .venv/bin/python benchmarks/rfla.py            prints, and writes benchmarks/results/rfla.json
    .venv/bin/python benchmarks/rfla.py --quick    one round of few steps; writes only with --out

``rfla_perturb`` on emoji-resnet with the shipped generator, ten patches of a case, with 32 and with 2 source images a
step each. ``together`` makes them as one batch, ``one_by_one`` one after the other; both take the same steps and count
the same passes, through the classifier and through the generator. ``bare`` is the forward and backward of as many
pictures through generator, discriminator and disguise classifiers, and of as many images through the classifier, as one
step takes, without insertion, transformations and optimiser. All run in turns, so that a busy machine slows them all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from measuring import keep, seconds, spread  # noqa: E402

from gifthorse.classifier import Classifier, pin, resolve  # noqa: E402
from gifthorse.images import from_uint8  # noqa: E402
from gifthorse.tools import TOOLS  # noqa: E402
from gifthorse.tools.synthesis.base import brief  # noqa: E402
from gifthorse.zoo import DATA, GENERATORS, NETWORKS  # noqa: E402
from gifthorse.zoo.generator import Generator  # noqa: E402

N, TARGET = 10, 3


class Passes:
    """Counts the pictures that a generator draws."""

    def __init__(self, made: Generator) -> None:
        self.drawn = 0
        self._handle = made.module.register_forward_hook(self._see)

    def _see(self, _module: object, inputs: Any, _out: object) -> None:
        self.drawn += len(inputs[0])


def bare(network: Classifier, assets: dict[str, Any], images: int, steps: int, shown: int) -> None:
    """The passes of some steps of ten findings, and nothing else."""
    made, told = assets["generator"], assets["disguise"]
    latents = made.mixed([torch.Generator().manual_seed(k) for k in range(N)])
    pictures = torch.rand(N, 3, made.size, made.size)
    scenes = torch.rand(N * images, 3, network.size, network.size)
    for _ in range(steps):
        latents.noise.requires_grad_()
        made.draw(latents).sum().backward()
        made.realness(pictures.requires_grad_()).sum().backward()
        told.log_probabilities(pictures.detach().repeat(shown, 1, 1, 1).requires_grad_()).sum().backward()
        for part in torch.split(scenes, network.micro_batch):
            network.logits(part.clone().requires_grad_())[:, TARGET].sum().backward()


def measured(images: int, steps: int, rounds: int) -> dict[str, Any]:
    """One number of source images."""
    network = NETWORKS.make("emoji-resnet").load(device="cpu")
    row = GENERATORS.make("emoji-objects")
    how = {"device": "cpu", "precision": network.precision}
    assets = {"generator": row.load(**how), "disguise": row.disguise(**how)}
    scenes = from_uint8(DATA.make("emoji").draw("train", 64, 0).images)
    tool = TOOLS.make("rfla_perturb", {"images": images, "steps": steps, "screenings": 1, "screen": 1})
    given, count = brief(TARGET, scenes), Passes(assets["generator"])

    def made(n: int) -> Any:
        return tool(network, *given, n=n, keep=1, budget=10**9, assets=assets)

    together = made(N).cost
    drawn, count.drawn = count.drawn, 0
    alone = [made(1).cost for _ in range(N)]
    drawn_alone = count.drawn
    made(N)
    bare(network, assets, images, 2, tool.shown)
    found: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        found.append(
            (
                seconds(lambda: made(N)),
                seconds(lambda: [made(1) for _ in range(N)]),
                seconds(lambda: bare(network, assets, images, steps, tool.shown)),
            )
        )
    return {
        "images": images,
        "steps": steps,
        "precision": network.precision,
        "passes": {
            "together": [together.forward, together.backward, drawn],
            "one_by_one": [sum(one.forward for one in alone), sum(one.backward for one in alone), drawn_alone],
        },
        "seconds": {
            "together": spread([one for one, _, _ in found]),
            "one_by_one": spread([two for _, two, _ in found]),
            "bare": spread([three for _, _, three in found]),
        },
        "one_by_one_over_together": spread([two / one for one, two, _ in found]),
        "together_over_bare": spread([one / three for one, _, three in found]),
    }


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few steps, one round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/rfla.json, none with --quick")
    told = parser.parse_args()
    pin(resolve("cpu", "float32", told.threads))
    steps, rounds = (3, 1) if told.quick else (24, 5)
    found = []
    for images in (32, 2):
        found.append(measured(images, steps, rounds))
        print(json.dumps(found[-1]), flush=True)
    keep("rfla", told, {"figures": found})


if __name__ == "__main__":
    main()
