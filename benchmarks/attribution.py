"""How fast attribution is: perturbation methods against Captum, and every method against the bare passes it needs.

    .venv/bin/python benchmarks/attribution.py            prints, and writes benchmarks/results/attribution.json
    .venv/bin/python benchmarks/attribution.py --only resnet18-64,lime
    .venv/bin/python benchmarks/attribution.py --only lrp --again    measures it once more
    .venv/bin/python benchmarks/attribution.py --quick    tiny sizes, to see that it works; writes only with --out

Two networks of torchvision's with random weights: ResNet-18 at 64 pixels and ResNet-50 at 224. All contenders for a
method explain one image with the same features, baseline and number of samples, one after another in every round, so
that a busy machine slows them all; the ratios within a round are the figures (median, lowest and highest). Captum gets
the same normalised, channels-last network, so what differs is how perturbed images are made and batched:

- ``captum_default``: one perturbation an evaluation: one image; of feature permutation four, one for each of the pool.
- ``bare_default``: the bare forward of as many images in batches as small as those. Its time over that of ``bare`` is
  all that larger batches alone can gain.
- ``captum_best``: the ``perturbations_per_eval`` that is fastest here, of powers of two up to the classifier's batch.
- ``bare``: as many images as the method forwards (and backpropagates) through the module itself, in full batches.
- ``ours_half``, ``bare_half``: the method and the bare passes in bfloat16, where the machine multiplies it in hardware;
  Captum stays in float32. ``half_of_bare`` is how much of what bfloat16 gains the bare passes is gained over Captum at
  its best.

LIME and KernelSHAP get a regression by torch, since Captum's own asks for scikit-learn, which is not among our
packages; it is quicker than any part that is measured. For feature permutation, Captum permutes a batch of copies of
the image with a function that takes the pool's pixels, as we define it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import captum.attr as captum
import torch
import torchvision
from captum._utils.models.model import Model
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from measuring import COMMIT, keep, kept, seconds, spread  # noqa: E402

from gifthorse.classifier import Classifier, bfloat16_is_fast, pin, resolve  # noqa: E402
from gifthorse.errors import Refusal  # noqa: E402
from gifthorse.tools import TOOLS  # noqa: E402
from gifthorse.tools.attribution.base import Attribution, Maps  # noqa: E402
from gifthorse.tools.attribution.features import cut  # noqa: E402
from gifthorse.tools.attribution.occlusion import pixels  # noqa: E402

TARGET = 3
GREY = 0.5


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A network, and how much is asked of each method on it.

    Attributes:
        build: of torchvision.
        rounds: times that all contenders run.
        images: that a gradient method explains at once.
        methods: settings of the perturbation methods.
        steps: of integrated gradients (doubled for no image, as random weights would have them doubled to the end), and
            samples of gradient SHAP.
    """

    build: str
    size: int
    rounds: int
    images: int
    methods: dict[str, dict[str, Any]]
    steps: int

    def gradients(self, name: str) -> dict[str, Any]:
        """Settings of a gradient method."""
        few = {"steps": self.steps, "most": self.steps}
        return {"integrated_gradients": few, "gradient_shap": {"samples": self.steps}}.get(name, {})


def methods(cells: int, samples: int, orders: int) -> dict[str, dict[str, Any]]:
    return {
        "occlusion": {"window": 1 / cells, "stride": 0.5 / cells},
        "feature_ablation": {"cells": cells},
        "feature_permutation": {"cells": cells, "draws": 4},
        "lime": {"cells": cells, "samples": samples},
        "kernel_shap": {"cells": cells, "samples": samples},
        "shapley_value_sampling": {"cells": cells, "orders": orders},
    }


SETUPS = {
    "resnet18-64": Setup(build="resnet18", size=64, rounds=7, images=64, methods=methods(8, 500, 8), steps=16),
    "resnet50-224": Setup(build="resnet50", size=224, rounds=3, images=4, methods=methods(4, 64, 4), steps=8),
}
QUICK = {
    "resnet18-64": Setup(build="resnet18", size=64, rounds=1, images=2, methods=methods(2, 8, 2), steps=2),
    "resnet50-224": Setup(build="resnet50", size=32, rounds=1, images=2, methods=methods(2, 8, 2), steps=2),
}


def network(setup: Setup) -> Classifier:
    torch.manual_seed(0)
    module = getattr(torchvision.models, setup.build)(weights=None)
    names = tuple(map(str, range(1000)))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return Classifier(module, classes=names, size=setup.size, mean=mean, std=std, device="cpu", precision="float32")


# -- Captum on the same features --------------------------------------------------------------------------------------


class Regression(Model):  # type: ignore[misc]
    """Weighted least squares, for Captum's LIME and KernelSHAP."""

    def fit(self, train_data: Any, **_told: object) -> None:
        seen, outputs, weights = (torch.cat(parts) for parts in zip(*train_data, strict=True))
        rows = torch.cat([seen.double(), torch.ones(len(seen), 1).double()], 1) * weights.double().sqrt()[:, None]
        right = outputs.double().flatten()[:, None] * weights.double().sqrt()[:, None]
        self.found = torch.linalg.lstsq(rows, right, driver="gelsd").solution[:-1].T.float()

    def representation(self) -> Tensor:
        return self.found

    def __call__(self, x: Any) -> Any:
        return x


def captums(name: str, settings: dict[str, Any], net: Classifier, image: Tensor, pool: Tensor) -> Callable[[int], Any]:
    """Captum's method as a function of ``perturbations_per_eval``: the same features, baseline and samples."""
    if name == "occlusion":
        window, stride = pixels(settings["window"], net.size), pixels(settings["stride"], net.size)
        windows = {"sliding_window_shapes": (3, window, window), "strides": (3, stride, stride)}
        return lambda each: captum.Occlusion(net.view).attribute(
            image, target=TARGET, baselines=GREY, perturbations_per_eval=each, **windows
        )
    (parts,) = cut(image, "grid", settings["cells"], 1)
    told = {"target": TARGET, "feature_mask": parts.of.long()[None, None]}
    if name == "feature_permutation":
        pool = pool[: settings["draws"]]
        copies = image.repeat(len(pool), 1, 1, 1)
        permuted = captum.FeaturePermutation(net.view, lambda x, mask: torch.where(mask, pool, x))
        return lambda each: permuted.attribute(copies, perturbations_per_eval=each, **told)
    made = {
        "feature_ablation": captum.FeatureAblation,
        "lime": captum.Lime,
        "kernel_shap": captum.KernelShap,
        "shapley_value_sampling": captum.ShapleyValueSampling,
    }[name]
    samples = settings.get("samples", settings.get("orders"))
    many = {} if samples is None else {"n_samples": samples}
    method = made(net.view, interpretable_model=Regression()) if name == "lime" else made(net.view)
    if name == "kernel_shap":
        method.interpretable_model = Regression()
    return lambda each: method.attribute(image, baselines=GREY, perturbations_per_eval=each, **told, **many)


def best(run: Callable[[int], Any], largest: int, rows: int) -> int:
    """The fastest ``perturbations_per_eval``, of powers of two; each after a first call that is not counted."""
    took: dict[int, float] = {}
    each = 1
    while each <= largest and each < 2 * rows:
        run(each)
        took[each] = min(seconds(lambda each=each: run(each)) for _ in range(2))
        each *= 2
    return min(took, key=lambda each: took[each])


# -- bare passes ------------------------------------------------------------------------------------------------------


def bare(
    net: Classifier, forward: int, backward: int = 0, dtype: torch.dtype = torch.float32, each: int | None = None
) -> Callable[[], None]:
    """As many images through the module as a method sends, in full batches, channels-last, normalised beforehand.

    Args:
        each: images a batch, where it is not to be full.
    """
    torch.manual_seed(1)
    full = net.micro_batch if backward else net.forward_batch
    batch = torch.randn(min(each or full, forward), 3, net.size, net.size)
    batch = batch.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            with torch.inference_mode():
                for size in batches(forward - backward, len(batch)):
                    net.module(batch[:size])
            for size in batches(backward, len(batch)):
                net.module(batch[:size].clone().requires_grad_())[:, TARGET].sum().backward()

    return run


def batches(count: int, size: int) -> Iterator[int]:
    for start in range(0, count, size):
        yield min(size, count - start)


# -- measuring --------------------------------------------------------------------------------------------------------


def in_turns(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds of each, one after another, ``rounds`` times, every second round backwards; the first is not counted."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for turn in range(rounds):
        for name in list(works)[:: 1 if turn % 2 == 0 else -1]:
            took[name].append(seconds(works[name]))
    return took


def ratio(took: dict[str, list[float]], above: str, below: str) -> dict[str, float]:
    return spread([a / b for a, b in zip(took[above], took[below], strict=True)])


def perturbation(name: str, setup: Setup, net: Classifier) -> dict[str, Any]:
    """Ours against Captum at its defaults and at its best, and against the bare forward passes."""
    torch.manual_seed(2)
    image, pool = torch.rand(1, 3, net.size, net.size), torch.rand(4, 3, net.size, net.size)
    tool = TOOLS.make(name, setup.methods[name])
    theirs = captums(name, setup.methods[name], net, image, pool)
    made = tool(net, image, TARGET, references=pool)
    with net.counting() as counter:
        values = theirs(1).mean((0, 1))
    evaluated = min(setup.methods[name]["draws"], len(pool)) if name == "feature_permutation" else 1
    fastest = best(theirs, net.forward_batch, made.cost.forward)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: tool(net, image, TARGET, references=pool),
        "captum_default": lambda: theirs(1),
        "captum_best": lambda: theirs(fastest),
        "bare": bare(net, made.cost.forward),
        "bare_default": bare(net, made.cost.forward, each=evaluated),
    }
    halved = bfloat16_is_fast("cpu")
    if halved:
        works["ours_half"] = lambda: in_half(tool, net, image, pool)
        works["bare_half"] = bare(net, made.cost.forward, dtype=torch.bfloat16)
    took = in_turns(setup.rounds, works)
    return {
        "settings": setup.methods[name],
        "forward": made.cost.forward,
        "captum_forward": counter.forward,
        "perturbations_per_eval": fastest,
        "seconds": statistics.median(took["ours"]),
        "captum_default_over_ours": ratio(took, "captum_default", "ours"),
        "captum_best_over_ours": ratio(took, "captum_best", "ours"),
        "ours_over_bare": ratio(took, "ours", "bare"),
        "bare_default_over_bare": ratio(took, "bare_default", "bare"),
        "correlation_with_captum": correlation(values, made.values[0]),
    } | (halves(took, correlation(in_half(tool, net, image, pool).values[0], made.values[0])) if halved else {})


def in_half(tool: Any, net: Classifier, image: Tensor, pool: Tensor) -> Maps:
    """A method's map with the network in bfloat16."""
    with net.perturbing_in("bfloat16"):
        found: Maps = tool(net, image, TARGET, references=pool)
        return found


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, other]).flatten(1))[0, 1])


def halves(took: dict[str, list[float]], alike: float) -> dict[str, Any]:
    """What bfloat16 gains; ``alike`` is how its map correlates with the one in float32."""
    gained = [
        (best / ours) / (single / half)
        for best, ours, single, half in zip(
            *(took[name] for name in ("captum_best", "ours_half", "bare", "bare_half")), strict=True
        )
    ]
    return {
        "captum_default_over_ours_half": ratio(took, "captum_default", "ours_half"),
        "captum_best_over_ours_half": ratio(took, "captum_best", "ours_half"),
        "bare_over_bare_half": ratio(took, "bare", "bare_half"),
        "half_of_bare": spread(gained),
        "ours_half_over_bare_half": ratio(took, "ours_half", "bare_half"),
        "correlation_of_half": alike,
    }


def gradients(name: str, setup: Setup, net: Classifier) -> dict[str, Any]:
    """A method that needs gradients against the bare passes that it counts."""
    torch.manual_seed(2)
    images, pool = torch.rand(setup.images, 3, net.size, net.size), torch.rand(4, 3, net.size, net.size)
    tool = TOOLS.make(name, setup.gradients(name))
    try:
        cost = tool(net, images, TARGET, references=pool).cost
    except Refusal as refusal:
        return {"refused": str(refusal)}
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: tool(net, images, TARGET, references=pool),
        "bare": bare(net, cost.forward, cost.backward),
    }
    took = in_turns(setup.rounds, works)
    return {
        "images": setup.images,
        "settings": setup.gradients(name),
        "forward": cost.forward,
        "backward": cost.backward,
        "seconds": statistics.median(took["ours"]),
        "ours_over_bare": ratio(took, "ours", "bare"),
    }


def measured(
    name: str, setup: Setup, wanted: tuple[set[str], bool], found: dict[str, Any], note: Callable[[], None]
) -> None:
    """All figures of one network that are not there yet, noted one by one: what is stopped goes on.

    Args:
        wanted: some methods, none for all; and whether those that are there are measured once more.
    """
    net = network(setup)
    passes = 2 * net.micro_batch if setup.rounds > 1 else 2
    took = in_turns(setup.rounds, {"single": bare(net, passes), "half": bare(net, passes, dtype=torch.bfloat16)})
    found |= {
        "micro_batch": net.micro_batch,
        "forward_batch": net.forward_batch,
        "bfloat16_in_hardware": bfloat16_is_fast("cpu"),
        "bare_bfloat16_speedup": ratio(took, "single", "half"),
    }
    only, again = wanted
    for kind in ("perturbation", "gradient"):
        found.setdefault(kind, {})
    contenders = [key for key in TOOLS if issubclass(TOOLS.load(key), Attribution) and not TOOLS[key].floor]
    for key in contenders:
        if (only and key not in only) or (not again and key in found["perturbation"] | found["gradient"]):
            continue
        if key in setup.methods:
            kind, figures = "perturbation", perturbation(key, setup, net)
        else:
            kind, figures = "gradient", gradients(key, setup, net)
        found[kind][key] = figures | {"commit": COMMIT, "load": os.getloadavg()[0]}
        told = {k: round(v["median"], 3) for k, v in figures.items() if isinstance(v, dict) and "median" in v}
        print(f"{name:14} {key:24} {told or figures}", flush=True)
        note()


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--only", default="", help="networks and methods, separated by commas")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/attribution.json, none with --quick")
    told = parser.parse_args()
    pin(resolve("cpu", "float32", told.threads))
    setups = QUICK if told.quick else SETUPS
    only = {name for name in told.only.split(",") if name}
    if unknown := only - set(setups) - set(TOOLS):
        sys.exit(f"there is no network or method {', '.join(sorted(unknown))}; networks are {', '.join(setups)}")
    chosen = {name: setup for name, setup in setups.items() if not only & set(setups) or name in only}
    networks: dict[str, Any] = kept("attribution", told, any_commit=True).get("networks", {})
    for name, setup in chosen.items():
        own = networks.setdefault(name, {})
        wanted = (only - set(setups), told.again)
        measured(name, setup, wanted, own, lambda: keep("attribution", told, {"networks": networks}))


if __name__ == "__main__":
    main()
