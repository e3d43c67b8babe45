"""A run folder's records, put side by side: what was planted, what each tool left, what was made of it.

The page is built from this and from nothing else. Records that are not there are simply absent: a run that was
stopped half way has a page too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gifthorse.records import Caption, Case, Cost, Effect, Evidence, Failure, Implant, Success, Verdict
from gifthorse.registry import base
from gifthorse.store import Store, Unit
from gifthorse.tables import tidy_tables
from gifthorse.tables.compare import by_tool
from gifthorse.tables.found import CEILINGS, FLOORS, Found, Row

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Kept(Generic[R]):
    """A record with the unit that keeps it."""

    unit: Unit
    record: R
    cost: Cost | None

    @property
    def key(self) -> str:
        """The unit's key."""
        return self.unit.key


@dataclass(frozen=True, kw_only=True)
class Puzzle:
    """One trojan in one network, with all that was made of it.

    Attributes:
        implant: the unit that planted it, and holds its images.
        success: how well that worked.
        evidence: what each tool left, sorted by tool.
    """

    implant: Kept[Implant]
    case: Case
    success: Success | None
    evidence: tuple[Kept[Evidence], ...]

    @property
    def name(self) -> str:
        """The trojan's name."""
        return self.case.trojan.name

    @property
    def network(self) -> str:
        """The name of the planted network."""
        return self.implant.record.network

    def of(self, tool: str) -> tuple[Kept[Evidence], ...]:
        """What one tool left: one piece a seed."""
        return tuple(item for item in self.evidence if item.record.tool.name == tool)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder.

    Attributes:
        plan: ``plan.json``, or an empty mapping where the run has not got so far.
        implants: one a network, sorted by name.
        puzzles: one a trojan and network, in the suite's order.
        effects: by the key of the evidence.
        verdicts: by the key of the evidence, sorted by judge.
        captions: by the key of the evidence, sorted by captioner.
        units: every unit, sorted by kind and key.
        failures: sorted by label.
        tables: the tidy tables of the run.
        sums: each tool's mean on each network, by (network, judge, measure, tool).
    """

    plan: Mapping[str, Any]
    implants: tuple[Kept[Implant], ...]
    puzzles: tuple[Puzzle, ...]
    effects: Mapping[str, Kept[Effect]]
    verdicts: Mapping[str, tuple[Kept[Verdict], ...]]
    captions: Mapping[str, tuple[Kept[Caption], ...]]
    units: tuple[Unit, ...]
    failures: tuple[Failure, ...]
    tables: Mapping[str, list[Row]]
    sums: Mapping[tuple[str, str, str, str], Row]

    @property
    def planned(self) -> Mapping[str, Any]:
        """Suite, protocol, tools and ground, as the plan has them."""
        return self.plan.get("plan") or self.plan

    @property
    def suite(self) -> Mapping[str, Any]:
        """The suite as data, or an empty mapping."""
        return self.planned.get("suite") or {}

    def within(self, network: str) -> tuple[Puzzle, ...]:
        """The puzzles of one network."""
        return tuple(puzzle for puzzle in self.puzzles if puzzle.network == network)

    def judged(self, evidence: Kept[Evidence], judge: str) -> Kept[Verdict] | None:
        """What a judge said of a piece of evidence."""
        found = (v for v in self.verdicts.get(evidence.key, ()) if v.record.judge.name == judge)
        return next(found, None)

    def all_evidence(self, kind: str | None = None) -> Iterator[tuple[Puzzle, Kept[Evidence]]]:
        """Every piece of evidence (of a kind) with its puzzle."""
        for puzzle in self.puzzles:
            for item in puzzle.evidence:
                if kind is None or item.record.kind == kind:
                    yield puzzle, item


def gather(store: Store) -> Run:
    """Reads a run folder: the units that its last request names, as the tables do."""
    found = Found(store)
    units = tuple(sorted(found.units, key=lambda unit: (unit.kind, unit.key)))
    implants = sorted(_read(found, "implant", Implant), key=lambda kept: (kept.record.network, kept.key))
    evidence = sorted(_read(found, "evidence", Evidence), key=_order)
    verdicts: dict[str, list[Kept[Verdict]]] = {}
    for kept in sorted(_read(found, "verdict", Verdict), key=lambda v: (v.record.judge.name, v.key)):
        verdicts.setdefault(kept.record.evidence, []).append(kept)
    captions: dict[str, list[Kept[Caption]]] = {}
    for said in sorted(_read(found, "caption", Caption), key=lambda c: (c.record.captioner.name, c.key)):
        captions.setdefault(said.record.evidence, []).append(said)
    failures = [f for f in store.standing() if found.current(f.kind, f.key)]
    tidy = tidy_tables(store)
    return Run(
        plan=store.read_plan() or {},
        implants=tuple(implants),
        puzzles=tuple(puzzle for implant in implants for puzzle in _puzzles(implant, evidence)),
        effects={kept.record.evidence: kept for kept in _read(found, "effect", Effect)},
        verdicts={key: tuple(those) for key, those in verdicts.items()},
        captions={key: tuple(those) for key, those in captions.items()},
        units=units,
        failures=tuple(sorted(failures, key=lambda failure: (failure.label, failure.key))),
        tables=tidy,
        sums=_sums(tidy),
    )


def _sums(tidy: Mapping[str, list[Row]]) -> dict[tuple[str, str, str, str], Row]:
    """Each tool's mean on each network, by (network, judge, measure, tool), as the tables add up."""
    made = {}
    for rows in (tidy["footprint"], tidy["match"]):
        for network in sorted({row["network"] for row in rows}):
            for row in by_tool([row for row in rows if row["network"] == network]):
                made[network, row["judge"], row["measure"], row["tool"]] = row
    return made


def _read(found: Found, kind: str, cls: type[R]) -> list[Kept[R]]:
    records = sorted(found.records(kind, cls), key=lambda pair: pair[0].key)
    return [Kept(unit=unit, record=record, cost=unit.cost()) for unit, record in records]


def _order(kept: Kept[Evidence]) -> tuple[object, ...]:
    record = kept.record
    return (record.network, record.trojan, role(record.tool.name) != "tool", record.tool.name, record.seed, kept.key)


def _puzzles(implant: Kept[Implant], evidence: list[Kept[Evidence]]) -> Iterator[Puzzle]:
    record = implant.record
    for case in record.cases:
        name = case.trojan.name
        yield Puzzle(
            implant=implant,
            case=case,
            success=next((s for s in record.successes if s.trojan == name), None),
            evidence=tuple(e for e in evidence if e.record.network == record.network and e.record.trojan == name),
        )


def role(tool: str) -> str:
    """``floor``, ``ceiling`` or ``tool``."""
    return "floor" if base(tool) in FLOORS else "ceiling" if base(tool) in CEILINGS else "tool"
