"""Builds the top of the page: what this is, what was done, what was found, and what a run of this size can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gifthorse.records import digest
from gifthorse.report import words
from gifthorse.report.build_judged import resolvable
from gifthorse.report.contexts import (
    Chapter,
    Fact,
    Head,
    Link,
    Planted,
    Prose,
    Trigger,
)
from gifthorse.report.contexts_found import Synthesis, TrojanPage
from gifthorse.report.contexts_maps import Attribution, ScoreRow
from gifthorse.report.contexts_page import Judged, JudgedRow
from gifthorse.report.desk import Desk

SAID = 4
"""Tools that a sentence names; the table has them all."""

LEFT_OUT = (
    "This page was made without the data's own images: the examples and the probes are left out, with maps that would "
    "trace them, and each place names the record that holds the image. What the tools made, and the triggers, are here."
)


def head(desk: Desk, parts: tuple[Sequence[Planted], Sequence[Attribution], Sequence[Judged]]) -> Head:
    """The top of the page, told from the parts below it so that both say the same.

    Args:
        desk: the records.
        parts: what was planted, the attribution tools, the judge's tables.
    """
    planted, attribution, judged = parts
    suite = desk.run.suite
    names = sorted({implant.record.suite for implant in desk.run.implants})
    name = str(suite.get("name") or words.listed(names) or "no suite")
    version = f", version {suite['version']}" if "version" in suite else ""
    return Head(
        title=f"gifthorse: {name}",
        suite=f"{name}{version}",
        triggers=tuple(Trigger(link=desk.page(puzzle), picture=desk.truth(puzzle, 44)) for puzzle in desk.run.puzzles),
        facts=_facts(desk, suite),
        reading=(
            *(_planted(part) for part in planted),
            *(_attribution(part) for part in attribution if part.scores),
            *(_judged(part) for part in judged),
        ),
        size=resolvable(desk),
        left_out="" if desk.album.inputs else LEFT_OUT,
    )


def _facts(desk: Desk, suite: Mapping[str, Any]) -> tuple[Fact, ...]:
    plan = desk.run.plan
    keys = sorted(unit.key for unit in desk.run.units)
    protocol, machine = desk.run.planned.get("protocol"), plan.get("machine")
    told = {
        "suite digest": digest(suite)[:12] if suite else "not recorded",
        "run digest": digest(keys)[:12],
        "made": words.moment(str(plan.get("started") or "not recorded")),
        "protocol": protocol.get("name") if isinstance(protocol, Mapping) else protocol,
        "machine": words.machine(machine) if isinstance(machine, Mapping) else machine,
        "arithmetic": desk.run.planned.get("ground"),
        "versions": plan.get("versions"),
    }
    return tuple(Fact(name=name, text=_told(value)) for name, value in told.items() if value)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {value[name]}" for name in sorted(value))
    return str(value)


def _planted(part: Planted) -> Prose:
    kinds: dict[str, int] = {}
    for row in part.rows:
        kinds[row.kind] = kinds.get(row.kind, 0) + 1
    made = words.listed([f"{count} {kind}" for kind, count in kinds.items()])
    met = sum(row.met for row in part.rows)
    total = len(part.rows)
    gates = "all meet their gates" if met == total else f"{met} of {total} meet all of their gates"
    return Prose(
        parts=(
            f"{words.counted(total, 'trojan')} ({made}) {'was' if total == 1 else 'were'} planted in {part.network}; "
            f"{gates}. Clean accuracy went from",
            part.before,
            "to",
            part.after,
            ".",
        )
    )


def _attribution(part: Attribution) -> Prose:
    scored = part.scores[0]
    tools = [row for row in scored.rows if row.tool.role == "tool"]
    floors = [row for row in scored.rows if row.tool.role != "tool"]
    count = words.counted(len(tools), "attribution tool")
    said: list[Any] = [
        f"{count} explained images of {part.network} that carry a trigger. The mean correlation of map and trigger is"
    ]
    said += _each([*tools, *floors])
    return Prose(parts=tuple(said))


def _each(rows: Sequence[ScoreRow] | Sequence[JudgedRow]) -> list[Any]:
    """``0.62 (...) for occlusion, ...``: the numbers in a row, each with its interval."""
    said: list[Any] = []
    tools = [row for row in rows if row.mean is not None and row.tool.role == "tool"]
    numbered = [*tools[:SAID], *(row for row in rows if row.mean is not None and row.tool.role != "tool")]
    for place, row in enumerate(numbered):
        role = "" if row.tool.role == "tool" else f" (a {row.tool.role})"
        end = "." if place == len(numbered) - 1 else " and" if place == len(numbered) - 2 else ","
        said += [row.mean, f"for {row.tool.name}{role}{end}"]
    return said


def _judged(part: Judged) -> Prose:
    tools = [row for row in part.rows if row.tool.role == "tool"]
    rest = [row for row in part.rows if row.tool.role != "tool"]
    count = sum(len(group.columns) for group in part.groups)
    said: list[Any] = [
        f"{words.counted(len(tools), 'synthesis tool')} looked for {words.counted(count, 'trigger')} of "
        f"{part.network} without seeing one. Shown only what they made, the judge {part.judge} gives the right answer "
        f"a mean probability of"
    ]
    said += [*_each([*tools, *rest]), f"Guessing gives {part.chance}."]
    return Prose(parts=tuple(said))


def contents(
    desk: Desk, found: tuple[Sequence[Planted], Sequence[Attribution], Sequence[Synthesis]], rest: tuple[Any, ...]
) -> tuple[Chapter, ...]:
    """The table of contents: every section that the page has.

    Args:
        desk: the records.
        found: the first three sections' parts.
        rest: the trojans' pages and the judge's tables.
    """
    planted, attribution, synthesis = found
    trojans: Sequence[TrojanPage] = rest[0]
    judged: Sequence[Judged] = rest[1]

    def chapter(name: str, text: str, parts: Sequence[Any] = ()) -> Chapter:
        links = tuple(Link(href=f"#{part.anchor}", text=part.network) for part in parts)
        return Chapter(link=Link(href=f"#{name}", text=text), parts=links if len(links) > 1 else ())

    made = [
        chapter("planted", "What was planted", planted),
        chapter("attribution", "Attribution", attribution) if attribution else None,
        chapter("synthesis", "Synthesis", synthesis) if synthesis else None,
        Chapter(
            link=Link(href="#trojans", text="Each trojan"),
            parts=tuple(Link(href=f"#{page.anchor}", text=page.name) for page in trojans),
        )
        if trojans
        else None,
        chapter("judged", "The judge", judged) if judged else None,
        chapter("costs", "Costs"),
        chapter("missing", "What is missing"),
        chapter("ran", "What was run"),
    ]
    return tuple(entry for entry in made if entry)
