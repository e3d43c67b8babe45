"""Builds "What is missing" and "Exactly what was run", with an entry for every record."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from gifthorse.records import Spec, canonical
from gifthorse.report import words
from gifthorse.report.contexts import Fact, Link
from gifthorse.report.contexts_page import Failed, Missing, Ran, Settings, Silent, SumEntry, UnitEntry, UnitGroup
from gifthorse.report.desk import Desk, unit_anchor
from gifthorse.report.gather import Puzzle
from gifthorse.store import Unit

INPUTS = 3_000
"""Characters of a unit's inputs that are shown; a suite of 48 trojans has thousands of units."""


def missing(desk: Desk) -> Missing:
    """Failures, refusals, and what was not scored."""
    failed = tuple(
        Failed(
            anchor=f"f-{failure.key[:12]}",
            label=failure.label,
            kind=failure.kind,
            error=failure.error,
            traceback=failure.traceback,
            attempts=failure.attempts,
            again=failure.retryable,
        )
        for failure in desk.run.failures
    )
    silent: dict[tuple[str, str, str], list[Link]] = {}

    def note(about: tuple[str, str, str], puzzle: Puzzle, key: str) -> None:
        silent.setdefault(about, []).append(Link(href=desk.ledger.link([key], ""), text=puzzle.name))

    for puzzle, evidence in desk.run.all_evidence():
        about = f"{evidence.record.tool.name} on {puzzle.network}"
        if evidence.record.refusal:
            note((about, "refused", evidence.record.refusal), puzzle, evidence.key)
        for verdict in desk.run.verdicts.get(evidence.key, ()):
            record = verdict.record
            judged = f"{record.judge.name} of {about}"
            if record.not_scored and not evidence.record.refusal:
                note((judged, "not scored", record.not_scored), puzzle, verdict.key)
            if record.excluded:
                reason = f"{record.excluded:,} left out of the score: {record.excluded_reason or 'no reason given'}"
                note((judged, "left out", reason), puzzle, verdict.key)
    return Missing(
        failed=failed,
        silent=tuple(
            Silent(label=label, links=tuple(links), what=what, reason=reason)
            for (label, what, reason), links in silent.items()
        ),
    )


def ran(desk: Desk) -> Ran:
    """Exactly what was run. It is built last, when every number has been linked."""
    plan = desk.run.plan
    labels = {unit.key: label(unit) for unit in desk.run.units}

    def link(key: str) -> Link:
        return Link(href=f"#{unit_anchor(key)}", text=labels.get(key, key[:12]))

    return Ran(
        command=_command(plan.get("command", "")),
        facts=facts(plan),
        suite=words.data(desk.run.suite) if desk.run.suite else "",
        plan=words.data({key: value for key, value in desk.run.planned.items() if key not in _ELSEWHERE}),
        tools=_components(e.record.tool for _, e in desk.run.all_evidence()),
        judges=_components(v.record.judge for found in desk.run.verdicts.values() for v in found),
        captioners=_components(c.record.captioner for found in desk.run.captions.values() for c in found),
        sums=tuple(
            SumEntry(anchor=anchor, what=what, units=tuple(map(link, keys)))
            for anchor, (what, keys) in sorted(desk.ledger.sums.items())
        ),
        records=_grouped(desk.run.units),
    )


def _grouped(units: Iterable[Unit]) -> tuple[UnitGroup, ...]:
    """Every record's entry, by kind, in the order in which a run makes them."""
    groups: dict[str, list[UnitEntry]] = {}
    for unit in sorted(units, key=_place):
        groups.setdefault(unit.kind, []).append(_entry(unit))
    return tuple(UnitGroup(kind=kind, what=words.unit(kind), units=tuple(found)) for kind, found in groups.items())


def _command(given: Any) -> str:
    if isinstance(given, (list, tuple)):
        return shlex.join(str(word) for word in given)
    return str(given)


_ELSEWHERE = frozenset({"suite", "keys", "command", "failed", "finished", "plan", "labels", "names"})
"""Entries of the plan that stand elsewhere on the page, or that change after the page is drawn."""

_TABLED = frozenset({"judges", "tools", "captioners"})
"""Entries of the plan that have a table of their own."""

_NAMES = {
    "asked": "request digest",
    "seal": "plan digest",
    "ground": "arithmetic",
    "alone": "threads of a network implanted alone",
}
"""Entries of the plan as people read them."""


def facts(plan: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Versions, machine, protocol: every short entry of the plan, as it is."""
    made = []
    for name in sorted({*plan, "protocol", "ground"} - _ELSEWHERE - _TABLED):
        value = plan.get(name, (plan.get("plan") or {}).get(name))
        if name == "machine" and isinstance(value, Mapping):
            text = words.machine(value)
        elif name == "started":
            text = words.moment(str(value or ""))
        elif isinstance(value, Mapping):
            text = ", ".join(f"{key} {_short(value[key])}" for key in sorted(value) if value[key] not in (None, {}))
        else:
            text = "" if value is None else _short(value)
        if text and len(text) <= 400:
            made.append(Fact(name=_NAMES.get(name, str(name)), text=text))
    return tuple(made)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else words.data(value).replace("\n", "")


def _components(specs: Iterable[Spec]) -> tuple[Settings, ...]:
    unique = {canonical(spec): spec for spec in specs}
    return tuple(
        Settings(name=spec.name, version=f"{spec.version}", text=words.settings(spec.settings) or "no settings")
        for _, spec in sorted(unique.items(), key=lambda item: (item[1].name, item[0]))
    )


def label(unit: Unit) -> str:
    """What a unit is, for people; its own label is not part of it, since no key may depend on one."""
    data = unit.data
    about = [str(data[name]) for name in ("trojan", "network") if isinstance(data.get(name), str)]
    who = data.get("tool")
    who = who.get("name") if isinstance(who, Mapping) else who
    judge = data.get("judge")
    if isinstance(judge, Mapping):
        who = f"{judge.get('name')} of {who}"
    parts = [str(who)] if who else []
    if about:
        parts.append(f"on {', '.join(about)}" if parts else ", ".join(about))
    return " ".join(parts) or unit.kind


_ORDER = ("implant", "evidence", "effect", "verdict", "sample", "caption")


def _place(unit: Unit) -> tuple[int, str, str, str]:
    rank = _ORDER.index(unit.kind) if unit.kind in _ORDER else -1
    return rank, unit.kind, label(unit), unit.key


def _entry(unit: Unit) -> UnitEntry:
    cost = unit.cost()
    paid = ""
    if cost:
        paid = f"{words.seconds(cost.seconds)}, {cost.forward:,} forward, {cost.backward:,} backward"
        paid += f", {words.size(cost.peak_bytes)}" if cost.peak_bytes else ""
    return UnitEntry(
        anchor=unit_anchor(unit.key),
        kind=unit.kind,
        label=label(unit),
        key=unit.key,
        inputs=words.data(unit.inputs, INPUTS),
        files=tuple(
            Fact(name=name, text=f"{words.size(entry.bytes)}, sha256 {entry.sha256[:12]}")
            for name, entry in sorted(unit.files.items())
        ),
        cost=paid,
    )
