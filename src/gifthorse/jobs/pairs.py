"""What experiments on pairs of classes have in common: search them all, and write their page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse import effects
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Bench, check_failures
from gifthorse.jobs.naming import named
from gifthorse.jobs.showing import caption, cause
from gifthorse.records import Caption, Ground, Hunted
from gifthorse.report import hunted
from gifthorse.report.hunted import Pair, Saying
from gifthorse.store import Unit

PHOTOGRAPHED = {
    "photographs": "as many as there are of a class, where these are fewer than the scenes above; crops likewise",
    "names": "by the encoder of drawings and textures, which has never seen a photograph",
}
"""What is said besides of pairs on photographs."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What an experiment asks of pairs.

    Attributes:
        title: of the page.
        pairs: in words, for the page's head.
        notes: what is said below the table, given what was found.
    """

    title: str
    pairs: str
    notes: Callable[[Sequence[Pair]], tuple[str, ...]] = lambda _pairs: ()


def answer(
    order: hunting.Order, ground: Ground, pairs: Sequence[hunting.Pair], question: Question, bench: Bench
) -> tuple[Path, dict[str, Any]]:
    """Search natural patches for some pairs, and write the page.

    Raises:
        FailedCells: some pairs could not be searched; the page is of the others.
    """
    units, failed = hunting.made(hunting.cells(order, ground, pairs), bench.store, bench.runner, bench.watch, ground)
    where = order.surroundings()
    names = named(units, order, ground, bench)
    told = [_pair(unit, names.captions.get(unit.key), where.emoji) for unit in units]
    side, size = effects.side_for(where.data.size), where.data.size
    saying = Saying(
        title=question.title,
        facts={
            "network": f"{order.net}, {ground.precision} on {ground.device}",
            "pairs": question.pairs,
            "patches": (
                f"{side} pixels of {size}; {hunting.SYNTHETIC} synthetic ones for each pair, within "
                f"{hunting.PASSES:,} passes; {hunting.SCREENED} natural ones tried out on {hunting.SCREEN} scenes, "
                f"{hunting.KEPT} kept and tried on {hunting.TRIED} others"
            ),
            "pool": "the emoji world's: its drawings in several poses, textures and crops of scenes"
            if where.emoji
            else f"{where.called}, pictures of {where.pool.side} pixels",
            "generator": f"emoji-objects, {order.prior} prior",
        }
        | ({} if where.emoji else PHOTOGRAPHED),
        counts=(hunting.KEPT, hunting.SCREENED),
        notes=question.notes(told),
        phases=_phases(units),
    )
    page = bench.store.root / "report.html"
    page.write_text(hunted.draw(told, saying), encoding="utf-8")
    check_failures(failed, "pairs")
    check_failures(names.failed, "captions")
    return page, hunted.figures(told, saying)


def _pair(unit: Unit, named: Caption | None, emoji: bool) -> Pair:
    record = unit.record(Hunted)
    found = cause(record, tagged=emoji)
    why = ", ".join(f"{one.thing} with {one.label} {_times(one.value)}" for one in found.lifts)
    return Pair(
        hunted=record,
        pictures=unit.images(record.pictures),
        shown=tuple(caption(hit.name) if emoji else hit.name for hit in record.natural),
        kind=found.kind,
        why=why,
        things=tuple(one.thing for one in found.lifts),
        named=named,
    )


def _times(value: float) -> str:
    return "and with no other class" if value == float("inf") else f"{value:.1f} times as often as elsewhere"


def _phases(units: Sequence[Unit]) -> dict[str, float]:
    spent: dict[str, float] = {}
    for unit in units:
        cost = unit.cost()
        for phase in cost.phases if cost else ():
            spent[phase.name] = spent.get(phase.name, 0.0) + phase.seconds
    return spent
