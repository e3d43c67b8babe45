"""Contexts of what the synthesis tools found, what the judge said, what it cost, and what was run."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import (
    Attribution,
    Chapter,
    Fact,
    Head,
    Link,
    Number,
    Picture,
    Planted,
    Prose,
    ToolName,
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """One finding.

    Attributes:
        picture: it, or None where it is words.
        words: it, or an empty string where it is a picture.
        loss: on the screening images, lower is better.
        kept: whether it is among those that were judged.
    """

    picture: Picture | None
    words: str
    loss: Number
    kept: bool


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """The kept findings of one tool, as a row of Figure 5.17.

    Attributes:
        tool: its name and role.
        made: the best findings, the best first.
        excuse: why there are none, or an empty string.
    """

    tool: ToolName
    made: tuple[Made, ...]
    excuse: str


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Figure 5.17 for one trojan.

    Attributes:
        link: the trojan's page.
        note: its kind and target.
        truth: the trigger itself.
        rows: one a tool.
        open: whether it is shown at once.
    """

    link: Link
    note: str
    truth: Picture
    rows: tuple[GridRow, ...]
    open: bool


@dataclass(frozen=True, kw_only=True)
class BestRow:
    """One trojan in the overview: the trigger, and the best finding of each tool.

    Attributes:
        link: the trojan's page.
        truth: the trigger itself.
        best: one a tool, or None where it left none.
    """

    link: Link
    truth: Picture
    best: tuple[Picture | None, ...]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What the synthesis tools made on one network.

    Attributes:
        anchor: of this part of the page.
        network: its name.
        tools: the columns of the overview.
        best: its rows.
        grids: every kept finding, one grid a trojan.
    """

    anchor: str
    network: str
    tools: tuple[ToolName, ...]
    best: tuple[BestRow, ...]
    grids: tuple[Grid, ...]


@dataclass(frozen=True, kw_only=True)
class Share:
    """The probability that the judge gave to one option.

    Attributes:
        number: the probability.
        heat: the same between 0 and 1, for the tint.
        chosen: whether it was the likeliest option.
    """

    number: Number
    heat: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One of the eight options.

    Attributes:
        letter: A to H.
        caption: it in words.
        picture: it, or None where the option is words.
        right: whether it is the true trigger.
        shares: what each tool's findings made the judge think of it, or None where nothing was scored.
    """

    letter: str
    caption: str
    picture: Picture | None
    right: bool
    shares: tuple[Share | None, ...]


@dataclass(frozen=True, kw_only=True)
class Quiz:
    """The multiple choice of one trojan and one judge.

    Attributes:
        judge: its name.
        tools: the columns.
        answers: the rows.
        scores: the probability of the right answer, with its interval, or None where nothing was scored.
        charts: the same drawn, with a line at chance.
        verdicts: in words, one a tool: right, wrong, or why it was not scored.
        chance: what guessing gives.
    """

    judge: str
    tools: tuple[ToolName, ...]
    answers: tuple[Answer, ...]
    scores: tuple[Number | None, ...]
    charts: tuple[Markup, ...]
    verdicts: tuple[str, ...]
    chance: str


@dataclass(frozen=True, kw_only=True)
class TriedRow:
    """What the findings of one tool did when they were put into held-out images.

    Attributes:
        tool: its name and role.
        finding: all of them pooled, or which one.
        trojaned: share classified as the target by the trojaned network, or None where it was not tried.
        trojaned_chart: it, drawn.
        trojaned_confidence: mean probability of the target there, or None.
        clean: the same share on the clean network.
        clean_chart: it, drawn.
        clean_confidence: mean probability of the target there, or None.
        alone: the class that the trojaned network sees in the finding by itself, or an empty string.
        alone_confidence: how surely, or None.
    """

    tool: ToolName
    finding: str
    trojaned: Number | None
    trojaned_chart: Markup
    trojaned_confidence: Number | None
    clean: Number | None
    clean_chart: Markup
    clean_confidence: Number | None
    alone: str
    alone_confidence: Number | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Everything that one tool made for one trojan.

    Attributes:
        tool: its name and role.
        href: the record.
        settings: how it was made, in a line.
        made: all of it, the best first.
        unshown: how many are left out of the page for its size.
        excuse: why there is nothing, or an empty string.
    """

    tool: ToolName
    href: str
    settings: str
    made: tuple[Made, ...]
    unshown: int
    excuse: str


@dataclass(frozen=True, kw_only=True)
class MapScore:
    """How well one attribution tool's maps match this trigger.

    Attributes:
        tool: its name and role.
        number: the main measure with its interval.
        chart: it, drawn.
        note: why it was not scored, or an empty string.
    """

    tool: ToolName
    number: Number | None
    chart: Markup
    note: str


@dataclass(frozen=True, kw_only=True)
class TrojanPage:
    """All about one trojan, as Figure 5.16.

    Attributes:
        anchor: of its section.
        name: its name.
        network: the network that it is in.
        caption: the true trigger in words.
        truth: the trigger itself.
        facts: kind, scope, source, target.
        success: how often it works.
        control: how often it works on the clean network.
        quizzes: one a judge.
        tried: pooled over the kept findings, one row a tool, then one a finding.
        each: one row a finding.
        galleries: one a synthesis tool.
        measure: the main measure of the attribution tools, or an empty string.
        maps: how well each attribution tool's maps match it.
    """

    anchor: str
    name: str
    network: str
    caption: str
    truth: Picture
    facts: tuple[Fact, ...]
    success: Number
    control: Number
    quizzes: tuple[Quiz, ...]
    tried: tuple[TriedRow, ...]
    each: tuple[TriedRow, ...]
    galleries: tuple[Gallery, ...]
    measure: str
    maps: tuple[MapScore, ...]


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
class Cell:
    """One tool on one trojan.

    Attributes:
        number: the score, or None where there is none.
        heat: 0 at chance or below, 1 at certainty, for the tint.
        note: the interval in words, or why there is no score.
    """

    number: Number | None
    heat: str
    note: str


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
        units: how many.
        seconds: wall time in all.
    """

    kind: str
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
    """A result without a number: a refusal, something not scored, items left out.

    Attributes:
        link: the record.
        what: refusal, not scored, or left out.
        reason: in the words of the tool or judge.
    """

    link: Link
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
        sums: numbers made of several records.
        units: every record.
    """

    command: str
    facts: tuple[Fact, ...]
    suite: str
    plan: str
    tools: tuple[Settings, ...]
    judges: tuple[Settings, ...]
    sums: tuple[SumEntry, ...]
    units: tuple[UnitEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page: the names that the outermost template knows, and no others.

    Attributes:
        head: title, facts and a paragraph.
        contents: the table of contents.
        planted: what was planted, one a network.
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
