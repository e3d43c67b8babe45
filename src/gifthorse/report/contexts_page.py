"""Contexts of the judge's tables, the costs, what is missing, what was run, and the page itself."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import Chapter, Fact, Head, Link, Number, Planted, Prose, ToolName
from gifthorse.report.contexts_found import Cell, Synthesis, TrojanPage
from gifthorse.report.contexts_maps import Attribution, Claim


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns of one kind of trojan.

    Attributes:
        kind: its name.
        columns: the trojans' pages.
    """

    kind: str
    columns: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True)
class JudgedRow:
    """One tool in Figure 5.18.

    Attributes:
        tool: its name and role.
        cells: one a trojan, in the columns' order.
        mean: over the trojans that were scored, with its interval, or None.
        chart: it, drawn with a line at chance.
    """

    tool: ToolName
    cells: tuple[Cell, ...]
    mean: Number | None
    chart: Markup


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Figure 5.18 for one network and one judge.

    Attributes:
        anchor: of this part of the page.
        network: the network.
        judge: the judge.
        measure: what the numbers are.
        groups: the columns.
        rows: one a tool, the best mean first, controls last.
        legend: the tint's scale, with a line at chance.
        axis: the scale over the column of means.
        chance: what guessing gives.
    """

    anchor: str
    network: str
    judge: str
    measure: str
    groups: tuple[Group, ...]
    rows: tuple[JudgedRow, ...]
    legend: Markup
    axis: Markup
    chance: str


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """What one tool cost on one network.

    Attributes:
        network: the network.
        tool: its name and role.
        kind: attribution or synthesis.
        cells: how many pieces of evidence.
        seconds: wall time in all.
        forward: images through the classifier.
        backward: images whose gradient flowed back.
        peak: the most memory that a process held.
        score: the tool's mean score, or None.
    """

    network: str
    tool: ToolName
    kind: str
    cells: Number
    seconds: Number
    forward: Number
    backward: Number
    peak: Number
    score: Number | None


@dataclass(frozen=True, kw_only=True)
class CostPlot:
    """Score against cost.

    Attributes:
        title: of which network, tools and score.
        chart: a dot with its interval for every tool.
    """

    title: str
    chart: Markup


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """All units of one kind.

    Attributes:
        kind: of unit.
        what: such a unit holds, in words, or an empty string.
        units: how many.
        seconds: wall time in all.
    """

    kind: str
    what: str
    units: Number
    seconds: Number


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What everything cost.

    Attributes:
        rows: one a tool and network.
        plots: score against cost.
        stages: seconds spent, by kind of unit.
    """

    rows: tuple[CostRow, ...]
    plots: tuple[CostPlot, ...]
    stages: tuple[StageRow, ...]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A unit that could not be made.

    Attributes:
        anchor: of its entry.
        label: what it was.
        kind: of unit.
        error: its message.
        traceback: where it was raised.
        attempts: how often it was tried.
        again: whether the next run tries it again.
    """

    anchor: str
    label: str
    kind: str
    error: str
    traceback: str
    attempts: int
    again: bool


@dataclass(frozen=True, kw_only=True)
class Silent:
    """Results without a number, for one reason: refusals, what was not scored, items left out.

    Attributes:
        label: the tool, the judge and the network.
        links: the records, by trojan.
        what: refusal, not scored, or left out.
        reason: in the words of the tool or judge.
    """

    label: str
    links: tuple[Link, ...]
    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Failures, refusals and what was not scored.

    Attributes:
        failed: units that could not be made.
        silent: results without a number.
    """

    failed: tuple[Failed, ...]
    silent: tuple[Silent, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A component and its settings.

    Attributes:
        name: as in its table.
        version: of its row.
        text: every setting, as JSON.
    """

    name: str
    version: str
    text: str


@dataclass(frozen=True, kw_only=True)
class UnitEntry:
    """One record.

    Attributes:
        anchor: where every number that it made leads.
        kind: of unit.
        label: for people.
        key: the whole key.
        inputs: all that its key hashes, as JSON.
        files: name, size and hash of each.
        cost: seconds and passes, or an empty string.
    """

    anchor: str
    kind: str
    label: str
    key: str
    inputs: str
    files: tuple[Fact, ...]
    cost: str


@dataclass(frozen=True, kw_only=True)
class UnitGroup:
    """All records of one kind.

    Attributes:
        kind: of unit.
        what: such a unit holds, in words, or an empty string.
        units: the records, by label.
    """

    kind: str
    what: str
    units: tuple[UnitEntry, ...]


@dataclass(frozen=True, kw_only=True)
class SumEntry:
    """A number made of several records.

    Attributes:
        anchor: where the number leads.
        what: how it was made.
        units: the records.
    """

    anchor: str
    what: str
    units: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Exactly what was run.

    Attributes:
        command: as it was typed.
        facts: versions, machine, protocol.
        suite: the suite as data.
        plan: the rest of the plan as data.
        tools: tools with their settings.
        judges: judges with theirs.
        captioners: captioners with theirs.
        sums: numbers made of several records.
        records: every record, by kind.
    """

    command: str
    facts: tuple[Fact, ...]
    suite: str
    plan: str
    tools: tuple[Settings, ...]
    judges: tuple[Settings, ...]
    captioners: tuple[Settings, ...]
    sums: tuple[SumEntry, ...]
    records: tuple[UnitGroup, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page: the names that the outermost template knows, and no others.

    Attributes:
        head: title, facts and a paragraph.
        contents: the table of contents.
        planted: what was planted, one a network.
        claims: what the thesis says of attribution tools, and whether it holds here.
        attribution: maps and their scores, one a network.
        synthesis: what was made, one a network.
        trojans: a page each.
        judged: the judge's table, one a network and judge.
        findings: what the judge's table lets one say.
        costs: what it cost.
        missing: what is not there.
        ran: what was run.
        style: the style sheet.
        script: the script.
        script_hash: its SHA-256 as a content security policy names it.
    """

    head: Head
    contents: tuple[Chapter, ...]
    planted: tuple[Planted, ...]
    claims: tuple[Claim, ...]
    attribution: tuple[Attribution, ...]
    synthesis: tuple[Synthesis, ...]
    trojans: tuple[TrojanPage, ...]
    judged: tuple[Judged, ...]
    findings: tuple[Prose, ...]
    costs: Costs
    missing: Missing
    ran: Ran
    style: Markup
    script: Markup
    script_hash: str
