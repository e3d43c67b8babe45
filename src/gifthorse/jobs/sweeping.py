"""The experiment of Figure 5.8: success by the number of synthetic patches, and of natural ones that are tried out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gifthorse.errors import UsageError
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Watching, check_failures
from gifthorse.jobs.hunting import Pair
from gifthorse.randomness import generator
from gifthorse.records import Swept
from gifthorse.report import swept
from gifthorse.runner import Runner
from gifthorse.store import Store


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Order):
    """What is asked for.

    Attributes:
        n: random pairs of classes (thesis: 100).
    """

    n: int | None = 100


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network, or a number of pairs that there are not.
        FailedCells: some pairs could not be searched; the page is of the others.
    """
    ground, classes = hunting.grounded(order)
    count = len(classes)
    most = count * (count - 1)
    if not 1 <= (n := order.n or most) <= most:
        raise UsageError(f"--n is {n}", f"1 to {most}, the pairs that there are")
    drawn = torch.randperm(most, generator=generator(order.seed, "random pairs"))[:n].tolist()
    # place k is source k // (count - 1), with the others as its targets in order
    pairs = [Pair(k // (count - 1), k % (count - 1) + (k % (count - 1) >= k // (count - 1))) for k in drawn]
    cells = hunting.cells(order, ground, pairs, "sweep")
    units, failed = hunting.made(cells, store, runner, watch, ground)
    facts = {
        "network": f"{order.net}, {ground.precision} on {ground.device}",
        "pairs": f"{n} at random, of {most:,}",
        "patches": f"the best {hunting.KEPT} of those that are tried out, on {hunting.TRIED} scenes that nothing saw",
        "generator": f"emoji-objects, {order.prior} prior",
    }
    told = [unit.record(Swept) for unit in units]
    page = store.root / "report.html"
    page.write_text(swept.draw(told, facts), encoding="utf-8")
    check_failures(failed, "pairs")
    return page, swept.figures(told)
