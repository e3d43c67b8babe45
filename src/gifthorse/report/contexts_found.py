"""Contexts of what the synthesis tools found, and of each trojan's page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import Fact, Link, Number, Pair, Picture, ToolName


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
    """

    link: Link
    note: str
    truth: Picture
    rows: tuple[GridRow, ...]


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best finding of one tool for one trojan, and what a judge thinks of all that it kept.

    Attributes:
        picture: the finding, or None where there is none.
        cell: the judge's probability of the right answer, or None where nobody judged.
    """

    picture: Picture | None
    cell: Cell | None


@dataclass(frozen=True, kw_only=True)
class BestRow:
    """One trojan in the overview: the trigger, and the best finding of each tool.

    Attributes:
        link: the trojan's page.
        truth: the trigger itself.
        success: how often the trigger works.
        best: one a tool.
    """

    link: Link
    truth: Picture
    success: Number
    best: tuple[Best, ...]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What the synthesis tools made on one network.

    Attributes:
        anchor: of this part of the page.
        network: its name.
        tools: the rows of the overview.
        best: its columns.
        judge: whose probabilities stand under the findings, or an empty string.
        chance: what guessing gives.
        grid: every kept finding for one trojan, as Figure 5.17.
        others: the pages of the other trojans, which have theirs.
    """

    anchor: str
    network: str
    tools: tuple[ToolName, ...]
    best: tuple[BestRow, ...]
    judge: str
    chance: str
    grid: Grid
    others: tuple[Link, ...]


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
        reach: share of images with it in the trigger's place that are classified as the target, where measured.
        shares: what each tool's findings made the judge think of it, or None where nothing was scored.
    """

    letter: str
    caption: str
    picture: Picture | None
    right: bool
    reach: Number | None
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
class Said:
    """What a captioner says that the kept findings have in common.

    Attributes:
        captioner: its name.
        href: the record.
        words: the caption, or that there is none.
        common: whether there is one.
        number: its significance, or None where the captioner gives none.
        note: what was compared with what, or why there is no caption.
    """

    captioner: str
    href: str
    words: str
    common: bool
    number: Number | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """What one tool made for one trojan.

    Attributes:
        tool: its name and role.
        href: the record.
        told: how many there are, how they are put in, and what else the record says of them, in a line.
        made: all that was kept, the best first, then the best of the rest.
        film: how the best one came about, frame by frame.
        filmed: after which steps, in words.
        unshown: how many are left out of the page.
        captions: what the kept ones have in common, where they are natural pictures, one a captioner.
        excuse: why there is nothing, or an empty string.
    """

    tool: ToolName
    href: str
    told: str
    made: tuple[Made, ...]
    film: tuple[Picture, ...]
    filmed: str
    unshown: int
    captions: tuple[Said, ...]
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
        examples: images with it, and before it was put in.
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
    examples: tuple[Pair, ...]
    facts: tuple[Fact, ...]
    success: Number
    control: Number
    quizzes: tuple[Quiz, ...]
    tried: tuple[TriedRow, ...]
    each: tuple[TriedRow, ...]
    galleries: tuple[Gallery, ...]
    measure: str
    maps: tuple[MapScore, ...]
