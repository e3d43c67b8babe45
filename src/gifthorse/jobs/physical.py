"""The experiment of thesis 5.1.3 on paper: the best patches printed, held beside objects, and photographed.

Printing and photographing are simulated; photographs that somebody took are put into the same table.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gifthorse import gates, printing
from gifthorse.classifier import Classifier, pin, resolve
from gifthorse.effects import side_for
from gifthorse.errors import InputError
from gifthorse.images import as_floats, from_uint8, paste, places, resize
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Arm, Watching, block_cell, check_count, check_failures, check_network, of_arm
from gifthorse.jobs.run import begin
from gifthorse.randomness import generator
from gifthorse.report import tried_patches
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Store
from gifthorse.zoo import DATA
from gifthorse.zoo.data import Data
from gifthorse.zoo.folder import SUFFIXES
from gifthorse.zoo.framing import framed

OBJECTS = 9
"""Objects that each patch is held beside (thesis 5.1.3)."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: patches, of which the best are printed (thesis: 100).
        keep: how many are (thesis: 10).
        photos: folder of photographs of printed patches, named ``NUMBER-WHAT.jpg`` by the sheet's numbers.
    """

    n: int = 100
    keep: int = 10
    photos: Path | None = None


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder: its page, and ``sheet.pdf`` to print.

    Raises:
        UsageError: an unknown network, or a wrong number.
        InputError: photographs that are not what they should be.
        FailedCells: some attacks failed.
    """
    check_network(order.net)
    for name, value in (("n", order.n), ("keep", order.keep)):
        check_count(name, value)
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    cells = [block_cell(order, ground, Arm("All", {}), turn) for turn in range(-(-order.n // attacking.BLOCK))]
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, cells, runner=started, watch=lambda progress: watch("attack", progress))
    check_failures(outcome.failed, "blocks of attacks")
    attacks, pictures = of_arm(store, [cell.key for cell in cells])
    best = sorted(range(min(order.n, len(attacks))), key=lambda k: -attacks[k].confidence)[: order.keep]
    chosen, shown = [attacks[k] for k in best], as_floats(pictures[best])
    labels = [f"{place}: {attack.aimed}" for place, attack in enumerate(chosen, 1)]
    printing.sheet(shown, labels, store.root / "sheet.pdf")
    network = from_zoo(order.net, ground)
    objects, names = beside(network, order.seed)
    targets = torch.tensor([attack.target for attack in chosen])
    found, taken = _held(network, objects, (shown, targets), order.seed)
    if order.photos is not None:
        found["photographs"] = photographs(network, order.photos, targets)
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "patches": f"the best {len(chosen)} of {min(order.n, len(attacks))} by digital confidence; sheet.pdf to print",
        "objects": ", ".join(names) + ", which the network tells without a patch",
        "camera": ", ".join(f"{name} {value}" for name, value in vars(printing.Camera()).items()),
    }
    page = store.root / "report.html"
    page.write_text(tried_patches.draw_physical(chosen, (pictures[best], taken), found, facts), encoding="utf-8")
    return page, tried_patches.physical_figures(found)


def beside(network: Classifier, seed: int) -> tuple[Tensor, list[str]]:
    """A scene each of nine classes that the network is right about: ``(9, 3, H, H)``, and what they are of."""
    data: Data = DATA.make("emoji")
    order = torch.randperm(len(data.classes), generator=generator(seed, "objects")).tolist()
    found, names = [], []
    for label in order:
        scenes = from_uint8(data.draw("test", 8, seed, classes=(label,)).images)
        right = network.predict(scenes).argmax(1) == label
        if bool(right.any()):
            found.append(scenes[int(right.float().argmax())])
            names.append(data.classes[label])
        if len(found) == OBJECTS:
            break
    return torch.stack(found), names


def _held(
    network: Classifier, objects: Tensor, patches: tuple[Tensor, Tensor], seed: int
) -> tuple[dict[str, list[float]], Tensor]:
    """Target confidences of each patch beside each object, pasted and on paper; and what the camera took."""
    shown, targets = patches
    n, side = len(shown), side_for(network.size)
    scenes = objects.repeat(n, 1, 1, 1)
    held = shown.repeat_interleave(len(objects), 0)
    aimed = targets.repeat_interleave(len(objects))
    tops, lefts = places(len(scenes), network.size, side, generator(seed, "digital"))
    pasted = paste(scenes, resize(held, side), tops, lefts)
    taken = printing.photographed(scenes, held, side, printing.Camera(), generator(seed, "camera"))
    rows = torch.arange(len(scenes))
    return {
        "digital": network.predict(pasted)[rows, aimed].tolist(),
        "on paper, simulated": network.predict(taken)[rows, aimed].tolist(),
    }, taken


def photographs(network: Classifier, folder: Path, targets: Tensor) -> list[float]:
    """Target confidences of photographs that are named ``NUMBER-WHAT`` by the sheet's numbers.

    Raises:
        InputError: there is no such folder, or a name without a number of the sheet.
        HostileFile: no image that is let in.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "--photos FOLDER of JPEG, PNG or WebP images")
    found = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        number = re.match(r"(\d+)", path.name)
        if number is None or not 1 <= int(number[1]) <= len(targets):
            raise InputError(
                f"{path.name} does not say which patch it shows", f"a name such as 3-lamp.jpg, 1 to {len(targets)}"
            )
        pixels = framed(gates.image(path).pixels, network.size, network.size, "bicubic")
        chances = network.predict(from_uint8(np.ascontiguousarray(pixels[None])))
        found.append(float(chances[0, int(targets[int(number[1]) - 1])]))
    if not found:
        raise InputError(f"{folder} holds no image", "photographs of the printed patches")
    return found
