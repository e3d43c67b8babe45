"""Contexts of what the attribution tools did: maps, scores, comparisons, and what the thesis says of them."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import Fact, Link, Number, Picture, ToolName


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """One heat map.

    Attributes:
        picture: None where the map is constant, which shows nothing.
        under: what its values were divided by, or the word ``constant``.
    """

    picture: Picture | None
    under: str


@dataclass(frozen=True, kw_only=True)
class MapRow:
    """One image and what the tools made of it.

    Attributes:
        trojan: its trojan.
        image: the triggered image.
        mask: where the trigger is.
        maps: one a tool, or None where the tool left none.
    """

    trojan: Link
    image: Picture
    mask: Picture
    maps: tuple[Mapped | None, ...]


@dataclass(frozen=True, kw_only=True)
class MapTable:
    """Figure 4.1, once.

    Attributes:
        title: which scale it is on.
        note: the scale in a sentence.
        tools: the columns.
        rows: one image each.
        bar: the colour scale, low to high.
        ends: what the ends and the middle of the colour scale mean.
    """

    title: str
    note: str
    tools: tuple[ToolName, ...]
    rows: tuple[MapRow, ...]
    bar: Picture
    ends: tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """The scores of one tool.

    Attributes:
        tool: its name and role.
        chart: every score as a dot, the box of the quartiles, the median, and lines at zero or chance.
        median: of the scores.
        mean: with its interval.
        images: how many were scored.
        excluded: scores left out, and why, or an empty string.
    """

    tool: ToolName
    chart: Markup
    median: Number
    mean: Number
    images: Number
    excluded: str


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figure 4.2 for one measure.

    Attributes:
        measure: its name.
        note: what it is, and what the lines in the plot mean.
        axis: the scale above the plots.
        rows: one a tool, the best median first.
        silent: tools without such a score, and why.
        how: what the means' intervals are.
    """

    measure: str
    how: str
    note: str
    axis: Markup
    rows: tuple[ScoreRow, ...]
    silent: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One tool against the edge detector on the same images.

    Attributes:
        tool: its name and role.
        advantage: mean difference, above 0 where the tool is better, with its interval.
        chart: it, drawn, with a line at 0.
        median: of the differences.
        positive: share of images in which the tool is better.
        p: after Holm's correction; None for a floor, which is not tested.
        images: how many have a score by both.
        verdict: whether the tool is consistently better, in words.
        consistent: whether it is.
    """

    tool: ToolName
    advantage: Number
    chart: Markup
    median: Number
    positive: Number
    p: Number | None
    images: Number
    verdict: str
    consistent: bool


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The paired comparison on one network.

    Attributes:
        against: the edge detector.
        measure: by which the tools are compared.
        note: what the rows mean.
        axis: the scale above the drawings.
        rows: the best mean difference first.
    """

    against: str
    measure: str
    note: str
    axis: Markup
    rows: tuple[ComparedRow, ...]


@dataclass(frozen=True, kw_only=True)
class MeasureRow:
    """One tool's means.

    Attributes:
        tool: its name and role.
        cells: one a column; None where the tool has no such score.
    """

    tool: ToolName
    cells: tuple[Number | None, ...]


@dataclass(frozen=True, kw_only=True)
class MeasureTable:
    """Means of several measures at once.

    Attributes:
        title: what they have in common.
        note: what they are.
        columns: their names.
        chance: what a map that knows nothing scores, one a column, in words.
        rows: one a tool.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    chance: tuple[str, ...]
    rows: tuple[MeasureRow, ...]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the thesis says in 4.3, and whether it holds in this run.

    Attributes:
        quote: its words.
        reading: how they were made something that can be checked.
        verdict: ``holds``, ``does not hold`` or ``cannot be said``.
        tone: the class of its colour.
        because: what it rests on here.
    """

    quote: str
    reading: str
    verdict: str
    tone: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What the attribution tools did on one network.

    Attributes:
        anchor: of this part of the page.
        network: its name.
        maps: Figure 4.1 on each scale.
        scores: Figure 4.2, one a measure, the first the main one.
        dropped: triggered images on which the trojan did not fire, which nobody explains.
        compared: each tool against the edge detector, or None where there was none.
        measures: every measure of every tool, in two tables.
        made: for each tool its arithmetic, and what it found out about its own work on each trojan.
    """

    anchor: str
    network: str
    maps: tuple[MapTable, ...]
    scores: tuple[Scores, ...]
    dropped: str
    compared: Compared | None
    measures: tuple[MeasureTable, ...]
    made: tuple[Fact, ...]
