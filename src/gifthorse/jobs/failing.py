"""How natural patches fail to name a trigger: five ways, each with a number (thesis 5.2.3 and 5.2.5).

The patch trojans of a run are looked for twice: in a pool that has their triggers, and in one that does not.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gifthorse.classifier import pin, resolve
from gifthorse.errors import InputError, UsageError
from gifthorse.images import from_uint8, opaque
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Watching, check_failures
from gifthorse.jobs.pair_search import Hunt, best_of, together
from gifthorse.jobs.showing import caption
from gifthorse.jobs.surroundings import Surroundings
from gifthorse.randomness import generator
from gifthorse.records import Cell, Failing, Ground, Hit, Implant, Network, Retried, TrojanSpec, cell, plain, read
from gifthorse.report import failing
from gifthorse.runner import Runner
from gifthorse.stages.networks import classifier
from gifthorse.store import Draft, Store
from gifthorse.tools.synthesis.base import Task
from gifthorse.zoo import DATA
from gifthorse.zoo.emoji_patches import EmojiPatches, drawing_of, shows_trigger
from gifthorse.zoo.posed import LATENT_OF

VERSION = 1
"""Raised whenever the same inputs give another content."""

RUN = Path("runs") / "emoji12-quick"
"""Where a run with patch trojans is looked for."""

CHANGES = 3
"""Other draws of each thing that is changed."""


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Order):
    """What is asked for.

    Attributes:
        n: trojans, the first ones; None for all.
        run: the run folder whose trojaned networks are looked into.
    """

    run: Path = RUN


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        InputError: there is no such run, or it has no patch trojan of the emoji world.
        UsageError: a number of trojans that it does not have.
        FailedCells: some could not be searched; the page is of the others.
    """
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    asked = cells(order, ground)
    units, failed = hunting.made(asked, store, runner, watch, ground)
    told = [(unit.record(Failing), unit) for unit in units]
    facts = {
        "networks": f"of {order.run.name}, {ground.precision} on {ground.device}",
        "trojans": f"{len(asked)} patches",
        "pool": f"the emoji world's under the {order.prior} prior, with all triggers and without",
        "patches": f"{hunting.SCREENED} tried out on {hunting.SCREEN} scenes, {hunting.KEPT} kept",
    }
    page = store.root / "report.html"
    page.write_text(
        failing.draw([(record, unit.images(record.pictures)) for record, unit in told], facts, caption),
        encoding="utf-8",
    )
    check_failures(failed, "trojans")
    return page, failing.figures([record for record, _ in told])


def cells(order: Order, ground: Ground) -> list[Cell]:
    """A cell for each patch trojan of the run."""
    if not (order.run / "units").is_dir():
        raise InputError(f"{order.run} is no run folder", "gifthorse run, or --run FOLDER")
    implants = [unit.record(Implant) for unit in Store(order.run).units("implant")]
    every = {case.trojan.name: case.trojan for implant in implants for case in implant.cases}
    found = [(one.network, case.trojan.name, one) for one in implants for case in one.cases if _patched(case.trojan)]
    found.sort(key=lambda each: each[:2])
    if not found:
        raise InputError(f"{order.run} has no patch trojan of the emoji world", "a run of emoji12")
    if order.n is not None:
        if not 1 <= order.n <= len(found):
            raise UsageError(f"--n is {order.n}", f"1 to {len(found)}, the patch trojans of {order.run}")
        found = found[: order.n]
    trojans = [every[name] for name in sorted(every)]
    return [_cell(order, ground, implant, every[name], trojans) for _, name, implant in found]


def _patched(trojan: TrojanSpec) -> bool:
    return trojan.kind == "patch" and str(trojan.settings.get("art", "")).startswith("emoji/")


def _cell(order: Order, ground: Ground, implant: Implant, trojan: TrojanSpec, trojans: Sequence[TrojanSpec]) -> Cell:
    pools = [EmojiPatches.knowing(trojans, order.prior, with_triggers=there).pool() for there in (True, False)]
    inputs = hunting.inputs_of(order, ground, pools[0]) | {
        "version": VERSION,
        "classifier": implant.trojaned.digest,
        "without": pools[1].digest,
        "trojan": trojan.name,
        "pair": [trojan.sources[0] if trojan.sources else None, trojan.target],
    }
    context = {
        "run": str(order.run.resolve()),
        "network": plain(implant.trojaned),
        "trojans": [plain(each) for each in trojans],
        "called": implant.network,
    }
    label = f"{trojan.name} in {implant.network}"
    where = "gifthorse.jobs.failing:look"
    return cell("failing", label, where, inputs, context=context, weight=2 * hunting.WEIGHT)


def look(store: Store, made: Cell, draft: Draft) -> Failing:
    """Make a unit: the best natural patches for a trojan with its trigger in the pool, and without."""
    told, about = made.inputs, made.context
    ground = read(Ground, told["ground"])
    network = classifier(Store(about["run"]), read(Network, about["network"]), ground)
    trojans = [read(TrojanSpec, each) for each in about["trojans"]]
    (trojan,) = [each for each in trojans if each.name == told["trojan"]]
    pools = [EmojiPatches.knowing(trojans, told["assets"]["prior"], with_triggers=there) for there in (True, False)]
    rooms = [Surroundings(data=DATA.make("emoji"), pool=pool.pool(), emoji=True) for pool in pools]
    with network.counting() as passed:
        with_it = _Search(Hunt(store, made, draft, network, rooms[0]))
        draft.progress(0.5)
        without = _Search(Hunt(store, made, draft, network, rooms[1]), like=with_it)
        draft.progress(0.8)
        shows = [k for k, name in enumerate(with_it.ids) if shows_trigger(trojan, name)]
        order = best_of(with_it.scores, len(with_it.ids))
        hunt, pool = with_it.hunt, pools[0]
        alike, near = hunt.likeness(with_it.pictures)
        alike_any, near_any = hunt.likeness(_random(hunt, pool, told["seed"]))
        found = Failing(
            network=about["called"],
            trojan=told["trojan"],
            target=network.classes[hunt.target],
            present=statistics.fmean(with_it.successes),
            absent=statistics.fmean(without.successes),
            triggers=pool.poses,
            tried=len(shows),
            nearest=shows[0] + 1 if shows else None,
            best=min((order.index(k) + 1 for k in shows), default=None),
            found=sum(shows_trigger(trojan, hit.name) for hit in with_it.hits),
            near=near,
            near_any=near_any,
            alike=alike,
            alike_any=alike_any,
            changed=_changed(with_it, pool),
            shown=tuple(hit.name for hit in (*with_it.hits, *without.hits)),
            successes=(*with_it.successes, *without.successes),
            pictures=together(draft, (with_it.pictures, without.pictures)),
        )
    draft.count(forward=passed.forward, backward=passed.backward)
    return found


class _Search:
    """One search: what was tried out, with which score, and what the best of it do.

    Args:
        like: another search of the same pair, whose synthetic patches are taken.
    """

    def __init__(self, hunt: Hunt, like: _Search | None = None) -> None:
        self.hunt = hunt
        self.made: tuple[Task, Tensor] = hunt.task() if like is None else like.made
        self.task = self.made[0]
        listed = hunt.listed(self.task, hunt.seen(*self.made))
        self.ids, self.scores = listed.ids, hunt.screening(self.task, listed.pictures)
        best = best_of(self.scores, hunt.kept)
        self.pictures = listed.pictures[best]
        self.hits: tuple[Hit, ...] = hunt.hits([listed.ids[k] for k in best], self.pictures)
        self.before = hunt.before

    @property
    def successes(self) -> list[float]:
        """Of the best."""
        return [self.success(hit) for hit in self.hits]

    def success(self, hit: Hit) -> float:
        """Share of scenes that are classified as the target with a patch, less the share without."""
        return (hit.hits - self.before) / len(self.hunt.report)


def _random(hunt: Hunt, pool: EmojiPatches, seed: int) -> Tensor:
    """As many patches of a pool as are kept, at random."""
    places = torch.randperm(len(pool.ids), generator=generator(seed, "any"))[: hunt.kept].tolist()
    ids = [pool.ids[k] for k in places]
    return opaque(from_uint8(pool.pool().pictures(ids))).to(hunt.network.device)


def _changed(search: _Search, pool: EmojiPatches) -> tuple[Retried, ...]:
    """Success that is kept when one thing about the found drawings is drawn anew; crops cannot be changed so."""
    drawings = [hit for hit in search.hits if drawing_of(hit.name) is not None]
    if not drawings:
        return ()
    names, found = [hit.name for hit in drawings], []
    before = statistics.fmean(map(search.success, drawings))
    for what in LATENT_OF:
        after = []
        for turn in range(CHANGES):
            pictures = opaque(from_uint8(pool.changed(names, what, turn))).to(search.hunt.network.device)
            after += [search.success(hit) for hit in search.hunt.hits(names, pictures)]
        found.append(Retried(what=what, before=before, after=statistics.fmean(after), patches=len(drawings)))
    return tuple(found)
