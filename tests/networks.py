"""Every attribution method on every network: what is measured, and the page that shows it.

``python tests/networks.py --update [NETWORK...]`` measures all networks, or those named, and writes
``tests/tools/networks.json`` and ``docs/networks.md`` again.
"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fixtures_idioms import OWN, own
from fixtures_nets import pictures
from fixtures_torchvision import stock
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.tools import TOOLS
from gifthorse.tools.attribution.base import Maps
from gifthorse.zoo import NETWORKS

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).parent / "tools" / "networks.json"
PAGE = ROOT / "docs" / "networks.md"

Cell = dict[str, Any]
"""``refuses`` with its ``way_out``; or nothing; or ``within``, the power of ten that the map's sum is right to."""

SIZE = 32
TRAINED = ("emoji-resnet", "emoji-vgg")
STOCK = (
    "resnet18", "resnet50", "vgg11", "vgg19", "densenet121", "mobilenet_v3_small", "mobilenet_v3_large",
    "convnext_tiny", "vit_b_16",
)  # fmt: skip
NETS = (*TRAINED, *STOCK, *OWN)

METHODS = tuple(name for name, row in TOOLS.items() if row.kind == "attribution" and not row.floor)
CELLS = 4
SMALL: dict[str, dict[str, Any]] = {
    "occlusion": {"window": 16, "stride": 8},
    "feature_ablation": {"cells": CELLS},
    "feature_permutation": {"cells": CELLS, "draws": 2},
    "lime": {"cells": CELLS, "samples": 40},
    "kernel_shap": {"cells": CELLS, "samples": 60},
    "shapley_value_sampling": {"cells": CELLS, "orders": 2},
    "gradient_shap": {"samples": 6},
}
"""Settings in which a method is cheap; the others are as they come."""

GATES = {
    "integrated_gradients": 0.01,
    "deeplift": 0.001,
    "deeplift_shap": 0.001,
    "gradient_shap": 0.001,
    "lrp": 0.001,
    "kernel_shap": 0.001,
    "shapley_value_sampling": 0.001,
}
"""How far a map's sum may be from what it should be, as a share of that, by methods whose maps should add up."""


@functools.cache
def network(name: str) -> Classifier:
    """A network by its column."""
    if name in TRAINED:
        trained: Classifier = NETWORKS.make(name).load(device="cpu", precision="float32")
        return trained
    return own(name, SIZE) if name in OWN else stock(name, SIZE, calm=True)


# -- what a map should add up to --------------------------------------------------------------------------------------


def owed(method: str, net: Classifier, images: Tensor, references: Tensor) -> Tensor:
    """What the sum of a map should be, for each logit, ``(N, C)``; of other methods, the logits."""
    with torch.no_grad():
        own_logits = net(images)
        if method in ("integrated_gradients", "deeplift"):
            return own_logits - net(torch.zeros_like(images[:1]))
        if method in ("deeplift_shap", "gradient_shap"):
            return own_logits - net(references).mean(0)
        if method in ("kernel_shap", "shapley_value_sampling"):
            return own_logits - net(torch.full_like(images[:1], 0.5))
    return own_logits


def found(method: str, maps: Maps) -> Tensor:
    """The sum of each map as its method counts, ``(N,)``: over features; with what biases took."""
    total = maps.values.double().sum((1, 2))
    if method == "lrp":
        return total + maps.notes["relevance that the biases took"].double()
    if method in ("kernel_shap", "shapley_value_sampling"):
        return total / (maps.values.shape[1] * maps.values.shape[2] // CELLS**2)
    return total


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(method: str, name: str) -> tuple[Cell, float]:
    """One method on one network: its cell, and how far its sum is from what it should be, as a share.

    Raises:
        AssertionError: it neither refuses before any pass, by layer, nor gives a map.
    """
    net = network(name)
    images, references = pictures(1, size=net.size), pictures(3, seed=1, size=net.size)
    wanted = owed(method, net, images, references)
    # of random networks some differences are a hundredth of what they are the sum of
    targets = (wanted.abs() if method in GATES else wanted).argmax(1)
    with net.counting() as counter:
        try:
            maps = TOOLS.make(method, SMALL.get(method, {}))(net, images, targets, references=references)
        except Refusal as refusal:
            assert counter.passes == 0, f"{method} refuses {name} after {counter.passes} passes"
            return {"refuses": refusal.cause, "way_out": refusal.remedy}, 0.0
    assert maps.values.shape == (1, net.size, net.size)
    assert maps.values.isfinite().all()
    assert not maps.constant, f"{method} gives a constant map on {name}"
    if method not in GATES:
        return {}, 0.0
    chosen = wanted.gather(1, targets[:, None])[:, 0].double()
    error = float(((found(method, maps) - chosen) / chosen).abs().max())
    return {"within": math.ceil(math.log10(max(error, 1e-9)))}, error


def column(name: str, check: Callable[[str, Cell, float], None]) -> dict[str, Cell]:
    """All methods on a network, each checked as it is measured."""
    cells = {}
    for method in METHODS:
        cells[method], error = measured(method, name)
        check(method, cells[method], error)
    return cells


def within_gate(method: str, _cell: Cell, error: float) -> None:
    """Nothing, if a map adds up as it should."""
    assert error <= GATES.get(method, 0), f"{method}'s sum is wrong by {error:.2g} of itself"


def kept() -> dict[str, dict[str, Cell]]:
    """The cells that are committed, by network and method."""
    found: dict[str, dict[str, Cell]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


# -- the page ---------------------------------------------------------------------------------------------------------

HEAD = f"""\
Made by `python tests/networks.py --update` from what the tests measure; `scripts/test
tests/tools/test_networks.py` fails where this page is not what they find.

Every attribution method on one image of each network: the two shipped ones ({" and ".join(TRAINED)}), trained,
at 64 pixels; torchvision's, with random weights, at {SIZE}; and three of our own in idioms of other model
libraries: functions in place of modules (`F.relu`, `F.batch_norm`, `torch.add`), a BatchNorm with its ReLU in
one class, `nn.Identity`, a mean in place of a pooling layer, paths that drop out in training (`own_residual`);
besides these squeeze and excitation (`own_gated`); patches, written-out attention, learnt scales and `F.gelu`
(`own_transformer`).

✓ is a finite map that is not constant. The power of ten after it bounds how far the map's sum was from what it
should be when the page was made, as a share of that: for LRP the logit less what the biases took, for the
others a difference of logits. The tests hold {{gates}}.

A method that refuses does so before any image has gone through the network, names the layer and the way out,
and stops no other method. The baselines ({{floors}}) look at no network and work on every one.
"""

REFUSING = re.compile(r"^.+? (?=has no rule |changes ReLUs)")
"""What a refusal says first: the method's name."""


def written(cells: dict[str, dict[str, Cell]]) -> str:
    """The page."""
    notes: list[str] = []

    def shown(cell: Cell) -> str:
        if "refuses" in cell:
            note = f"{REFUSING.sub('It ', cell['refuses'])}. Way out: {cell['way_out']}."
            if note not in notes:
                notes.append(note)
            return f"refuses[^{notes.index(note) + 1}]"
        return f"✓ {power(cell['within'])}" if "within" in cell else "✓"

    strict = [name for name, gate in GATES.items() if gate < 0.01]
    gates = f"integrated_gradients to 1%, and {', '.join(strict)} to 0.1%"
    floors = ", ".join(name for name, row in TOOLS.items() if row.floor and row.kind == "attribution")
    about = HEAD.format(gates=gates, floors=floors).strip().split("\n\n")
    lines = ["# Which method works on which network", ""]
    for paragraph in about:
        lines += [textwrap.fill(paragraph, 120, break_on_hyphens=False), ""]
    lines += [f"| | {' | '.join(NETS)} |", f"|---|{'---|' * len(NETS)}"]
    for method in METHODS:
        lines.append(f"| **{method}** | {' | '.join(shown(cells[name][method]) for name in NETS)} |")
    return "\n".join([*lines, "", *(f"[^{i}]: {note}" for i, note in enumerate(notes, 1))]) + "\n"


def power(exponent: int) -> str:
    """A power of ten with a raised exponent."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


LAYER = re.compile(r"(\w+)(?: without running statistics)? at '([\w.]+)' ?")


def named(net: Classifier, cause: str) -> bool:
    """Whether a refusal names a layer of the network, or a call in one, by type and path."""
    match = LAYER.search(cause)
    if match is None or net.name not in cause:
        return False
    kind, path = match.groups()
    layers = dict(net.module.named_modules())
    if path in layers:
        return type(layers[path]).__name__ == kind
    parent, _, call = path.rpartition(".")
    return parent in layers and call.replace("_", "") == kind.replace("_", "").lower()


if __name__ == "__main__":
    if sys.argv[1:2] != ["--update"]:
        sys.exit("usage: python tests/networks.py --update [NETWORK...]")
    torch.set_num_threads(1)
    known = kept() if KEPT.exists() else {}
    made = {name: column(name, within_gate) if name in (sys.argv[2:] or NETS) else known[name] for name in NETS}
    KEPT.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(written(made), encoding="utf-8")
