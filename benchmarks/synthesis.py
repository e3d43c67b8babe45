"""How fast synthesis is: against torch-lucent and the Adversarial Robustness Toolbox, and against the bare passes.

    .venv/bin/python benchmarks/synthesis.py --others VENV    prints, and writes benchmarks/results/synthesis.json
    .venv/bin/python benchmarks/synthesis.py --others VENV --only emoji-resnet,fourier_target
    .venv/bin/python benchmarks/synthesis.py --quick          tiny sizes, to see that it works; writes only with --out

``VENV`` is an environment with torch-lucent 0.1.8 (which pins kornia 0.4.1) and adversarial-robustness-toolbox 1.20.1
beside a torch; without it, only the bare passes are compared with. The others run in a process of their own
(``synthesis_others.py``), in turns with ours, in every round on the same number of threads.

- ``lucent``: each of n pictures by itself, as lucent optimises one at a time, in float32, for so many steps; its
  transformations are scaled to the size. What it reaches is the mean over n of minus the target's logit of the whole
  picture, untransformed. ``ours``: seconds until our n pictures, one batch, reach that mean at a screening, screenings
  and all included; with the precision that a run would take here.
- ``art``: n patches one after another, 16 images a step; ``ours``: n patches in one batch, with as many passes, with as
  many images a step for each as our default has, and with more. Confidence is the mean probability of the target in
  held-out images with the patch at random places.
- ``overhead``: all of a method over the bare passes: the parameterisation's pictures and their gradients, and the
  classifier forward and backward on as many images, in batches as large; in the precision that a run would take, and,
  where a network is small, in float32 and with more images a step too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT / "benchmarks"))

from measuring import keep, seconds, spread  # noqa: E402
from synthesis_others import network, pictures, target  # noqa: E402

from gifthorse.classifier import pin, resolve  # noqa: E402
from gifthorse.effects import try_out  # noqa: E402
from gifthorse.records import Finding, Insertion  # noqa: E402
from gifthorse.tools import TOOLS  # noqa: E402
from gifthorse.tools.synthesis import engine  # noqa: E402
from gifthorse.tools.synthesis.base import brief  # noqa: E402

N = 10
IMAGES = (1, 4)
"""A step for each patch: our default, and more."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How much is asked on a network.

    Attributes:
        rounds: times that all contenders run.
        n: findings.
        lucent: steps of lucent, by method; a method that is not named is not compared.
        most: as many times as lucent's steps are ours given to reach what it reaches.
        patch: passes of each patch; 0 for no comparison.
        steps: of ours, for the overhead.
        ways: in which the overhead is measured: precision, and images a step for each finding.
    """

    rounds: int
    n: int
    lucent: dict[str, int]
    most: int
    patch: int
    steps: int
    ways: tuple[tuple[str, int], ...] = (("auto", 1),)


SETUPS = {
    "emoji-resnet": Setup(
        rounds=3,
        n=N,
        lucent={"fourier_target": 512, "cppn_target": 512},
        most=4,
        patch=2_000,
        steps=60,
        ways=(("auto", 1), ("auto", 4), ("float32", 1)),
    ),
    "efficientnet-lite0": Setup(
        rounds=1, n=N, lucent={"fourier_target": 128, "cppn_target": 64}, most=4, patch=400, steps=6
    ),
    "resnet50": Setup(rounds=1, n=N, lucent={"fourier_target": 128}, most=1, patch=0, steps=4),
}
QUICK = {
    "emoji-resnet": Setup(rounds=1, n=2, lucent={"fourier_target": 4, "cppn_target": 2}, most=8, patch=40, steps=3)
}

METHODS: dict[str, tuple[dict[str, Any], str]] = {
    "fourier_target": ({}, "views"),
    "cppn_target": ({}, "views"),
    "adversarial_patch": ({}, "images"),
    "tabor": ({"extent": "local"}, "images"),
    "maco_target": ({}, "views"),
}
"""Settings, and what images a step are called."""


# -- ours -------------------------------------------------------------------------------------------------------------


class Enough(Exception):
    """What was wanted is reached."""


class Reached:
    """Notes, at every screening, the seconds since the start and the mean of the best losses so far, and ends the work
    where that is as low as wanted.

    Attributes:
        after: seconds until then; None where it never was.
        last: seconds and mean at the last screening.
    """

    def __init__(self, wanted: float) -> None:
        self.after: float | None = None
        self.last: tuple[float, float] | None = None
        self._wanted, self._best = wanted, torch.tensor(torch.inf)
        self._losses = engine.Screen.losses

    def __enter__(self) -> Reached:
        self.start, note = time.perf_counter(), self

        def losses(screen: engine.Screen, made: Tensor) -> Tensor:
            found = note._losses(screen, made)
            note._best = torch.minimum(note._best, found)
            note.last = (time.perf_counter() - note.start, float(note._best.mean()))
            if note.last[1] <= note._wanted:
                note.after = note.last[0]
                raise Enough
            return found

        engine.Screen.losses = losses  # type: ignore[method-assign]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        engine.Screen.losses = self._losses  # type: ignore[method-assign]
        return kind is Enough


# -- the others -------------------------------------------------------------------------------------------------------


def other(venv: Path, what: str, order: dict[str, Any]) -> dict[str, Any]:
    """One piece of work in the others' environment: its seconds, and ``pictures`` ``(n, 3, h, w)``."""
    with tempfile.TemporaryDirectory() as folder:
        told = json.dumps(order | {"what": what, "out": str(Path(folder) / "made.npz")})
        script = ROOT / "benchmarks" / "synthesis_others.py"
        command = [str(venv / "bin" / "python"), "-W", "ignore", str(script), told]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{what} failed:\n{done.stderr[-3000:]}")
        made = np.load(Path(folder) / "made.npz")
        return {"seconds": float(made["seconds"]), "pictures": torch.from_numpy(made["pictures"])}


def against_lucent(name: str, method: str, setup: Setup, venv: Path, threads: int) -> dict[str, Any]:
    """Seconds until ours reaches what lucent does."""
    steps, found = setup.lucent[method], []
    half, single = network(name), network(name, "float32")
    aim = target(single)
    for turn in range(setup.rounds):
        order = {"net": name, "method": method, "n": setup.n, "steps": steps, "threads": threads, "seed": turn}
        theirs = other(venv, "lucent", order)
        with torch.no_grad():
            reached = -float(single.logits(theirs["pictures"])[:, aim].mean())
        tool = TOOLS.make(method, {"steps": setup.most * steps, "screenings": max(2, setup.most * steps // 8)})
        given = brief(aim, pictures(name, 4))
        with Reached(reached) as ours:
            tool(half, *given, n=setup.n, keep=1, seed=turn, budget=3 * setup.n * setup.most * steps)
        found.append({"lucent": theirs["seconds"], "reached": reached, "ours": ours.after, "ours_ends_at": ours.last})
        print(f"{name:20} {method:18} {found[-1]}", flush=True)
    all_reached = all(one["ours"] is not None for one in found)
    return {
        "n": setup.n,
        "steps": steps,
        "precision": half.precision,
        "rounds": found,
        "lucent_over_ours": spread([one["lucent"] / one["ours"] for one in found]) if all_reached else None,
    }


def against_art(name: str, setup: Setup, venv: Path, threads: int) -> dict[str, Any]:
    """Seconds and confidence at equal passes."""
    net, found = network(name), []
    unseen, aim = pictures(name, 64, seed=9), target(network(name, "float32"))
    side = round(net.size * 2 / 7)
    where = Finding(insertion=Insertion(kind="patch", side=side), loss=0.0, picture=0)

    def confidence(made: Tensor) -> float:
        alpha = torch.ones(len(made), 1, *made.shape[2:])
        shown = {i: replace(where, picture=i) for i in range(len(made))}
        tried = try_out(net, unseen, aim, torch.cat([made, alpha], 1), shown, torch.Generator().manual_seed(0))
        return statistics.mean(one.confidence for one in tried)

    for turn in range(setup.rounds):
        order = {"net": name, "n": setup.n, "passes": setup.patch, "threads": threads, "seed": turn}
        theirs = other(venv, "art", order)
        found.append({"art": theirs["seconds"], "art_confidence": confidence(theirs["pictures"])})
        for images in IMAGES:
            tool, given = TOOLS.make("adversarial_patch", {"images": images}), brief(aim, pictures(name, 128))
            start = time.perf_counter()
            made = tool(net, *given, n=setup.n, keep=setup.n, seed=turn, budget=setup.n * setup.patch)
            found[-1] |= {
                f"ours_{images}": time.perf_counter() - start,
                f"ours_{images}_confidence": confidence(made.pictures[:, :3]),
            }
        print(f"{name:20} adversarial_patch  {found[-1]}", flush=True)
    return {
        "n": setup.n,
        "passes_each": setup.patch,
        "precision": net.precision,
        "rounds": found,
        "art_over_ours": {
            f"{images} images a step": spread([one["art"] / one[f"ours_{images}"] for one in found])
            for images in IMAGES
        },
    }


# -- bare passes ------------------------------------------------------------------------------------------------------


class Shown:
    """What the engine was given, caught on its way, so that the bare passes are those of the same recipe.

    Attributes:
        screenings: how often it drew pictures only to screen them.
    """

    def __init__(self) -> None:
        self.recipe: engine.Recipe | None = None
        self.screenings = 0


def overhead(name: str, method: str, setup: Setup, way: tuple[str, int]) -> dict[str, Any]:
    """A method's seconds over those of its bare passes, in turns."""
    (precision, images), (settings, called) = way, METHODS[method]
    net = network(name, precision)
    tool = TOOLS.make(method, settings | {"steps": setup.steps, called: images})
    aim = target(net)
    given, caught = brief(aim, pictures(name, 64)), Shown()
    aims, losses = engine.Recipe.aims_of, engine.Screen.losses

    def catch(recipe: engine.Recipe, task: Any) -> Tensor:
        caught.recipe = recipe
        return aims(recipe, task)

    def count(screen: engine.Screen, made: Tensor) -> Tensor:
        caught.screenings += 1
        return losses(screen, made)

    def ours() -> Any:
        return tool(net, *given, n=setup.n, keep=1, budget=10**9)

    engine.Recipe.aims_of, engine.Screen.losses = catch, count  # type: ignore[method-assign]
    try:
        cost = ours().cost
    finally:
        engine.Recipe.aims_of, engine.Screen.losses = aims, losses  # type: ignore[method-assign]
    recipe = caught.recipe
    if recipe is None:
        raise RuntimeError(f"{method} has no recipe")
    a_step = cost.backward // setup.steps
    batch = torch.rand(min(net.micro_batch, a_step), 3, net.size, net.size)

    def bare() -> None:
        for _ in range(setup.steps):
            drawn = recipe.parameterisation.pictures()
            torch.autograd.backward(drawn, torch.ones_like(drawn))
            for start in range(0, a_step, len(batch)):
                part = batch[: min(len(batch), a_step - start)].clone().requires_grad_()
                net.logits(part)[:, aim].sum().backward()
        left = cost.forward - cost.backward
        with torch.inference_mode():
            for _ in range(caught.screenings):
                recipe.parameterisation.pictures()
            for start in range(0, left, len(batch)):
                net.logits(batch[: min(len(batch), left - start)])

    ours(), bare()
    pairs = [(seconds(ours), seconds(bare)) for _ in range(max(3, setup.rounds))]
    return {
        "precision": net.precision,
        "images": images,
        "forward": cost.forward,
        "backward": cost.backward,
        "seconds": statistics.median(one for one, _ in pairs),
        "ours_over_bare": spread([one / two for one, two in pairs]),
    }


def measured(name: str, setup: Setup, told: argparse.Namespace, wanted: set[str]) -> dict[str, Any]:
    """All figures of one network."""
    found: dict[str, Any] = {"overhead": {}, "lucent": {}, "art": None}
    for method in METHODS:
        if wanted and method not in wanted:
            continue
        found["overhead"][method] = [overhead(name, method, setup, way) for way in setup.ways]
        for one in found["overhead"][method]:
            said = f"over bare, {one['precision']}, {one['images']} a step: {one['ours_over_bare']}"
            print(f"{name:20} {method:18} {said}", flush=True)
        if told.others and method in setup.lucent:
            found["lucent"][method] = against_lucent(name, method, setup, told.others, told.threads)
        if told.others and method == "adversarial_patch" and setup.patch:
            found["art"] = against_art(name, setup, told.others, told.threads)
    return found


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=Path, help="environment with torch-lucent and the toolbox")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--only", default="", help="networks and methods, separated by commas")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/synthesis.json, none with --quick")
    told = parser.parse_args()
    pin(resolve("cpu", "float32", told.threads))
    setups = QUICK if told.quick else SETUPS
    only = {name for name in told.only.split(",") if name}
    if unknown := only - set(setups) - set(METHODS):
        sys.exit(f"there is no network or method {', '.join(sorted(unknown))}; networks are {', '.join(setups)}")
    chosen = {name: setup for name, setup in setups.items() if not only & set(setups) or name in only}
    keep(
        "synthesis",
        told,
        {"networks": {name: measured(name, setup, told, only - set(setups)) for name, setup in chosen.items()}},
    )


if __name__ == "__main__":
    main()
