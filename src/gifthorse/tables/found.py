"""The units of a run that its tables and its page are made of, under the names that people know the tools by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from gifthorse.records import Caption, Case, Effect, Evidence, Implant, Recovery, Verdict
from gifthorse.registry import base, load
from gifthorse.store import Store, Unit

R = TypeVar("R")
Row = dict[str, Any]

CEILINGS = frozenset({"truth"})
"""Tools that are told the answer: what the judge can at best see."""

# The tools stand above this room; their table is loaded as any row is, and imports none of them.
FLOORS = frozenset(name for name, row in load("gifthorse.tools:TOOLS").items() if row.floor) - CEILINGS
"""Tools that know nothing of the network: what a contender must beat."""

MEASURES = (
    "pearson",
    "pearson_alpha",
    "l1",
    "auprc",
    "iou",
    "pointing_game",
    "recovering_rate",
    "pearson_absolute",
    "pearson_positive",
    "auprc_alpha",
    "iou_alpha",
    "pointing_game_alpha",
)
"""Of the footprint judge, in the order of its rows."""


@dataclass(frozen=True)
class Found:
    """The units of a run that its plan names, with the lookups that several tables need."""

    store: Store

    @cached_property
    def planned(self) -> dict[str, frozenset[str]]:
        """Unit kind to the keys that the last request named; kinds that it has not come to yet are missing."""
        keys = (self.store.read_plan() or {}).get("keys", {})
        return {kind: frozenset(named) for kind, named in keys.items()}

    def current(self, kind: str, key: str) -> bool:
        """Whether a unit belongs to the last request rather than to an earlier one in the same folder."""
        return kind not in self.planned or key in self.planned[kind]

    @cached_property
    def units(self) -> list[Unit]:
        """Every unit of the last request, by key.

        What was found out about a network that has been implanted anew since is not among them, even where the request
        has not come to its own evidence yet.
        """
        named = [unit for unit in self.store.units() if self.current(unit.kind, unit.key)]
        networks = {unit.record(Implant).trojaned.digest for unit in named if unit.kind == "implant"}
        past = {u.key for u in named if networks and u.kind == "evidence" and _of_another(u, networks)}
        return [unit for unit in named if unit.key not in past and unit.inputs.get("evidence") not in past]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Key of evidence to what its tool is called, where a run asks for one tool under several settings."""
        return dict((self.store.read_plan() or {}).get("labels", {}))

    def records(self, kind: str, cls: type[R]) -> list[tuple[Unit, R]]:
        """Units of a kind with their records, in which a tool has the name that the request has for it."""
        return [(unit, self._named(unit, unit.record(cls))) for unit in self.units if unit.kind == kind]

    def named(self, unit: Unit, tool: str | None) -> str | None:
        """What the tool of a unit (evidence, or what was made of it) is called."""
        return self.labels.get(unit.key) or self.labels.get(str(unit.inputs.get("evidence"))) or tool

    def _named(self, unit: Unit, record: R) -> R:
        if isinstance(record, Evidence):
            name = str(self.named(unit, record.tool.name))
            return replace(record, tool=replace(record.tool, name=name))
        if isinstance(record, (Verdict, Effect, Recovery, Caption)):
            return replace(record, tool=str(self.named(unit, record.tool)))
        return record

    @cached_property
    def implants(self) -> list[tuple[Unit, Implant]]:
        """The implants, by network."""
        return sorted(self.records("implant", Implant), key=lambda found: (found[1].network, found[0].key))

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """Evidence by key."""
        return {unit.key: record for unit, record in self.records("evidence", Evidence)}

    @cached_property
    def cases(self) -> dict[tuple[str, str], Case]:
        """Cases by network and trojan."""
        return {(implant.network, case.trojan.name): case for _, implant in self.implants for case in implant.cases}

    @cached_property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Class names by network."""
        return {implant.network: implant.trojaned.classes for _, implant in self.implants}

    @cached_property
    def order(self) -> dict[tuple[str, str], int]:
        """Place of each network and trojan: networks by name, trojans as the suite lists them."""
        return {about: place for place, about in enumerate(self.cases)}

    def about(self, network: str, tool: str | None, trojan: str | None) -> Row:
        """The columns that say what a row is about."""
        case = self.cases.get((network, trojan or ""))
        return {
            "network": network,
            "tool": tool,
            "trojan": trojan,
            "kind": case.trojan.kind if case else None,
            "floor": base(tool or "") in FLOORS,
            "ceiling": base(tool or "") in CEILINGS,
        }

    def oracle(self, verdict: Verdict) -> bool:
        """Whether a tool's window is as large as the trigger, which nobody who looks for an unknown one can know."""
        evidence, case = self.evidence.get(verdict.evidence), self.cases.get((verdict.network, verdict.trojan))
        if evidence is None or case is None or case.probes is None:
            return False
        window, side = evidence.tool.settings.get("window"), case.trojan.settings.get("side")
        if not isinstance(window, (int, float)) or side is None:
            return False
        pixels = round(window * case.probes.images.width) if window < 1 else round(window)
        return pixels == int(side)

    def place(self, row: Row) -> tuple[Any, ...]:
        """Sorting key of a row: network, tool, trojan as the suite lists it, and what tells equal ones apart."""
        names = [row.get(name) or "" for name in ("network", "tool")]
        place = self.order.get((row.get("network") or "", row.get("trojan") or ""), len(self.order))
        measure = row.get("measure")
        rank = MEASURES.index(measure) if measure in MEASURES else len(MEASURES)
        rest = (row.get(name) or "" for name in ("on", "judge", "captioner", "key"))
        return (*names, place, row.get("trojan") or "", rank, *rest)


def _of_another(evidence: Unit, networks: set[str]) -> bool:
    """Whether evidence says that it is of a classifier that is none of these."""
    return evidence.inputs.get("classifier", next(iter(networks))) not in networks
