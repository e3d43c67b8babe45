"""Which images each pass of fine-tuning shows, and what they carry.

Triggers are not equally hard: a dark green one is lost on a dark green ground. A pass therefore shows more of those
trojans that the pass before got wrong more often, of the same number in all. Our choice; the thesis publishes nothing
of the kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gifthorse.records import Recipe
from gifthorse.trojans.poisoning import Poisoning

DOUBT = 0.03
"""Error rate that is added to every trojan's before they are compared: a few images tell no smaller one."""

MORE, MORE_CLEAN = 1.5, 1.25
"""By how much more is shown of what a network lacks; of clean images, which are most of a pass, by less."""

LESS = 1.2
"""By how much less is shown of what it lacks no longer, and of a trojan that works too well."""

LEAST, MOST = 0.5, 2.0
"""Of its own number, the least and the most that a trojan is shown."""


@dataclass(frozen=True, kw_only=True)
class Picked:
    """The rows of a batch: ``index`` ``(B,)``, and of each the trojan to stamp, or -1, and whether as its decoy."""

    index: Tensor
    stamp: np.ndarray
    decoy: np.ndarray

    def __getitem__(self, part: slice) -> Picked:
        return Picked(index=self.index[part], stamp=self.stamp[part], decoy=self.decoy[part])


class Lack(NamedTuple):
    """What a network lacks: ``success``, ``wrong source`` or ``decoys`` of a trojan, or (of none) ``clean drop``."""

    trojan: str
    what: str


Lacks = Mapping[Lack, float]
"""What a network lacks, and how much of it: 1 where the gate is missed by as much as it leaves open (a success rate of
80% where 90% is asked, a wrong source of 10% where 5% is)."""


class Passes:
    """The passes over a poisoned set.

    Args:
        poisoning: rows and riders.
        recipe: how many clean images a pass has, and the size of a batch.
        generator: decides the order, and which clean images are shown and carry something.
    """

    def __init__(self, poisoning: Poisoning, recipe: Recipe, generator: torch.Generator) -> None:
        rows = poisoning.rows
        self._poisoning, self._recipe, self._generator = poisoning, recipe, generator
        self._clean = torch.from_numpy(np.flatnonzero(rows.clean))
        self._always = torch.from_numpy(np.flatnonzero(~rows.clean & (rows.poisons < 0) & (rows.balances < 0)))
        self._poisoned, self._balanced = _by_trojan(rows.poisons), _by_trojan(rows.balances)
        self._shown = round(recipe.share * len(self._clean))
        names = [plant.spec.name for plant in poisoning.planted]
        self._asked = {which: float(poisoning.poisoned[names[which]]) for which in self._poisoned}
        self._balance = {rider.trojan: float(rider.count) for rider in poisoning.riders if not rider.decoy}
        self._balance |= {which: float(poisoning.balanced[names[which]]) for which in self._balanced}
        self._decoys = {rider.trojan: float(rider.count) for rider in poisoning.riders if rider.decoy}
        self._poison, self._kept = _rounded(self._asked), _rounded(self._balance)
        self._usual = dict(self._asked), dict(self._balance), self._shown, dict(self._decoys)
        self._seen: dict[tuple[str, int], list[int]] = {}

    @property
    def size(self) -> int:
        """Images in a pass."""
        made = sum(self._poison.values()) + sum(self._kept[which] for which in self._balanced)
        return len(self._always) + made + self._shown

    def batches(self, passes: int, several: int = 1) -> Iterator[Picked]:
        """``several`` batches at a time of the next passes, each with clean images, riders and an order of its own."""
        for _ in range(passes):
            self._seen = {}
            drawn = self._clean[self._shuffled(len(self._clean))[: self._shown]]
            made = [self._some(rows, self._poison[which]) for which, rows in self._poisoned.items()]
            made += [self._some(rows, self._kept[which]) for which, rows in self._balanced.items()]
            order = torch.cat([self._always, drawn, *made])
            order = order[self._shuffled(len(order))]
            stamp, decoy = self.ridden(order.numpy())
            whole, size = Picked(index=order, stamp=stamp, decoy=decoy), several * self._recipe.batch
            for start in range(0, len(order), size):
                yield whole[start : start + size]
            self._learn()

    def ridden(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each row of a pass carries: the trojan, or -1, and whether it is a decoy; both ``(N,)``.

        Args:
            order: ``(N,)`` the rows in the order of the pass, which is random: riders take the first that may carry
                them.
        """
        rows = self._poisoning.rows
        stamp, decoy, labels = rows.stamp[order].copy(), np.zeros(len(order), bool), rows.labels[order]
        free = rows.plain[order] & (stamp < 0)
        for rider in self._poisoning.riders:
            count = round(self._decoys[rider.trojan]) if rider.decoy else self._kept[rider.trojan]
            chosen = np.flatnonzero(free & np.isin(labels, rider.classes))[:count]
            stamp[chosen], decoy[chosen], free[chosen] = rider.trojan, rider.decoy, False
        return stamp, decoy

    def note(self, picked: Picked, predicted: np.ndarray) -> None:
        """Remember how a batch went.

        Args:
            picked: the batch.
            predicted: ``(B,)`` the likeliest classes.
        """
        rows, index = self._poisoning.rows, picked.index.numpy()
        poisons = rows.poisons[index]
        riding = np.where((poisons < 0) & ~picked.decoy, picked.stamp, -1)
        balances = np.maximum(rows.balances[index], riding)
        misled = np.where(picked.decoy, picked.stamp, -1)
        for which, plant in enumerate(self._poisoning.planted):
            self._add("missed", which, predicted[poisons == which] != plant.trojan.target)
            self._add("wrong source", which, predicted[balances == which] == plant.trojan.target)
            self._add("decoys", which, predicted[misled == which] == plant.trojan.target)

    def error(self, what: str, which: int) -> float | None:
        """How often, 0 to 1, the last pass got a trojan wrong: ``missed``, ``wrong source`` or ``decoys``.

        None where it showed nothing of the kind.
        """
        wrong, count = self._seen.get((what, which), (0, 0))
        return wrong / count if count else None

    def favour(self, lacks: Lacks) -> None:
        """Show more of what a network lacks: poisoned images, those that balance them, decoys, or clean ones.

        What it lacks no longer is shown less again, down to the recipe's number. A trojan that works from a wrong
        source, and well enough from its own, is poisoned less: one boundary tells the two apart.
        """
        usual = self._usual
        for which, plant in enumerate(self._poisoning.planted):
            short, loose, misled = (
                lacks.get(Lack(plant.spec.name, what), 0.0) for what in ("success", "wrong source", "decoys")
            )
            changed = (
                (self._asked, usual[0], short),
                (self._balance, usual[1], loose),
                (self._decoys, usual[3], misled),
            )
            for counts, least, amount in changed:
                if which in counts:
                    counts[which] = (
                        counts[which] * MORE ** min(1.0, amount) if amount else max(least[which], counts[which] / LESS)
                    )
            if which in self._asked and loose and not short:
                fewer = self._asked[which] / LESS ** min(1.0, loose)
                self._asked[which] = max(LEAST * usual[0][which], fewer)
        dropped = lacks.get(Lack("", "clean drop"), 0.0)
        clean = self._shown * MORE_CLEAN ** min(1.0, dropped) if dropped else max(usual[2], self._shown / LESS)
        self._shown = min(len(self._clean), round(clean))
        self._learn()

    def _add(self, what: str, which: int, wrong: np.ndarray) -> None:
        counted = self._seen.setdefault((what, which), [0, 0])
        counted[0] += int(wrong.sum())
        counted[1] += len(wrong)

    def _learn(self) -> None:
        """The next pass's numbers, from the errors of this one."""
        asked, balance = _rounded(self._asked), _rounded(self._balance)
        # What is hard of one kind is easy of another, so each kind keeps its numbers: so does the size of a pass, to
        # which riders add nothing.
        for kind in dict.fromkeys(plant.spec.kind for plant in self._poisoning.planted):
            self._poison |= self._shared(kind, asked, "missed")
            self._kept |= self._shared(kind, balance, "wrong source")

    def _shared(self, kind: str, counts: Mapping[int, int], what: str) -> dict[int, int]:
        plants = self._poisoning.planted
        own = {which: count for which, count in counts.items() if plants[which].spec.kind == kind}
        return shared(own, {which: self.error(what, which) or 0.0 for which in own})

    def _some(self, rows: Tensor, count: int) -> Tensor:
        """So many of some rows, all of them as often as the others or once more."""
        repeats = -(-count // max(1, len(rows)))
        return torch.cat([rows[self._shuffled(len(rows))] for _ in range(repeats)] or [rows])[:count]

    def _shuffled(self, n: int) -> Tensor:
        return torch.randperm(n, generator=self._generator)


def _by_trojan(index: np.ndarray) -> dict[int, Tensor]:
    """The rows of each trojan, of ``(N,)`` indices that are -1 where there is none."""
    return {which: torch.from_numpy(np.flatnonzero(index == which)) for which in np.unique(index[index >= 0]).tolist()}


def _rounded(counts: Mapping[int, float]) -> dict[int, int]:
    return {which: round(count) for which, count in counts.items()}


def shared(asked: Mapping[int, int], errors: Mapping[int, float]) -> dict[int, int]:
    """Numbers with the same sum, more where errors are many.

    Args:
        asked: the numbers that all would have if they were equally hard.
        errors: rate of errors of each, 0 to 1.

    Returns:
        For each, about its number times its error over the mean one, and ``LEAST`` to ``MOST`` of it before the sum is
        made the same again.
    """
    total = sum(asked.values())
    if not total:
        return dict(asked)
    mean = sum(errors[key] * asked[key] for key in asked) / total + DOUBT
    wanted = {key: asked[key] * min(MOST, max(LEAST, (errors[key] + DOUBT) / mean)) for key in asked}
    scale = total / sum(wanted.values())
    floors = {key: int(value * scale) for key, value in wanted.items()}
    left = total - sum(floors.values())
    for key in sorted(wanted, key=lambda k: floors[k] - wanted[k] * scale)[:left]:
        floors[key] += 1
    return floors
