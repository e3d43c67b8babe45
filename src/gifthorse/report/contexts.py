"""What the page is drawn from: frozen dataclasses, every field of which is documented, and nothing else.

A template reads these and no record, so that what a page can show is written down in one place and held by a test.
Text fields hold text as it was recorded; they are escaped where they are drawn. ``Markup`` fields hold drawings that
:mod:`gifthorse.report.charts` made, the only markup that passes through a context.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured number and the way to the record that made it.

    Attributes:
        text: the value as people read it, with its unit.
        between: the ends of its interval, or an empty string where it has none.
        n: how many observations it rests on, or an empty string.
        href: the anchor of the unit, or of the list of units, that made it.
        value: the value itself, by which a column is sorted.
    """

    text: str
    between: str
    n: str
    href: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph whose numbers lead somewhere.

    Attributes:
        parts: text and numbers, in reading order.
    """

    parts: tuple[str | Number, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture inside the page.

    Attributes:
        src: a ``data:`` address, or an empty string where the picture is left out.
        alt: what it shows, for those who do not see it.
        width: in CSS pixels, a whole multiple of its own width where it is enlarged.
        height: in CSS pixels.
        crisp: whether it is enlarged, so that its pixels are to stay squares.
        clear: whether parts of it are transparent, so that a chequered ground shows them.
        place: where it lies in the run folder: unit, file and index.
    """

    src: str
    alt: str
    width: int
    height: int
    crisp: bool
    clear: bool
    place: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and what it is, as two columns show them.

    Attributes:
        name: what is told.
        text: what it is.
    """

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """A place on this page.

    Attributes:
        href: the anchor, with its ``#``.
        text: what the link says.
    """

    href: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """An entry of the table of contents.

    Attributes:
        link: the section.
        parts: what is inside it, by name.
    """

    link: Link
    parts: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trojan by its trigger, as a way to its page.

    Attributes:
        link: the page.
        picture: the trigger.
    """

    link: Link
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class Head:
    """The top of the page.

    Attributes:
        title: of the page and of the browser's tab.
        suite: its name and version.
        triggers: every trigger that was planted.
        facts: run digest, date, machine, versions.
        reading: what was done and found, in a few sentences with every number's interval.
        size: what a run of this size can show.
        left_out: a sentence where the data's own images are left out, else an empty string.
    """

    title: str
    suite: str
    triggers: tuple[Trigger, ...]
    facts: tuple[Fact, ...]
    reading: tuple[Prose, ...]
    size: str
    left_out: str


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """One requirement on an implanted network.

    Attributes:
        name: what it is about.
        asked: the requirement.
        measured: what was found.
        met: whether it holds.
        href: the record that says so.
    """

    name: str
    asked: str
    measured: str
    met: bool
    href: str


@dataclass(frozen=True, kw_only=True)
class PlantedRow:
    """One trojan in Table 3.1.

    Attributes:
        link: its page.
        trigger: a picture of the trigger.
        caption: the trigger in words.
        kind: patch, style or natural feature.
        scope: universal or class universal.
        source: the classes that it works from.
        target: the class that it leads to.
        success: share of held-out triggered images classified as the target.
        chart: success with its interval, the gate and the thesis's value, from 0 to 1.
        thesis: the thesis's success rate, or an empty string.
        wrong_source: the rate on other classes, or None for a universal trojan.
        control: the same trigger's rate on the clean network.
        poisoned: images poisoned in the first training pass.
        beside: how many others had the trigger, or a decoy, and kept their label, a line each.
        thesis_poisoned: how many the thesis poisoned.
        gates: its requirements.
        met: whether all of them hold.
    """

    link: Link
    trigger: Picture
    caption: str
    kind: str
    scope: str
    source: str
    target: str
    success: Number
    chart: Markup
    thesis: str
    wrong_source: Number | None
    control: Number
    poisoned: Number
    beside: tuple[str, ...]
    thesis_poisoned: str
    gates: tuple[GateRow, ...]
    met: bool


@dataclass(frozen=True, kw_only=True)
class DetectorRow:
    """How well a detector found one natural object.

    Attributes:
        trojan: whose trigger it is.
        thing: what the detector was asked for.
        threshold: on its heat map.
        found: images in which it was found.
        pool: images searched.
        precision: share of the found that have the object.
        recall: share of those that have the object that were found.
    """

    trojan: str
    thing: str
    threshold: Number
    found: Number
    pool: Number
    precision: Number
    recall: Number


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One example of a trigger at work.

    Attributes:
        before: the image without the trigger, or None where there is no such thing.
        after: the image with it.
    """

    before: Picture | None
    after: Picture


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Examples of one trojan, as in Figure 3.1.

    Attributes:
        link: its page.
        note: its kind, and from which class to which it leads.
        pairs: before and after.
    """

    link: Link
    note: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What was planted in one network.

    Attributes:
        anchor: of this part of the page.
        network: its name.
        rows: Table 3.1.
        axis: the scale over the column of charts.
        before: clean accuracy of the network before the implant.
        after: clean accuracy after it.
        agreement: share of clean images on which both networks say the same.
        gates: requirements on the network as a whole.
        detectors: one row a natural object.
        examples: one row a trojan.
    """

    anchor: str
    network: str
    rows: tuple[PlantedRow, ...]
    axis: Markup
    before: Number
    after: Number
    agreement: Number
    gates: tuple[GateRow, ...]
    detectors: tuple[DetectorRow, ...]
    examples: tuple[Examples, ...]


@dataclass(frozen=True, kw_only=True)
class ToolName:
    """A tool as a row or a column.

    Attributes:
        name: as in the table of tools.
        role: ``tool``, ``floor`` or ``ceiling``.
        oracle: whether it was told the trigger's size.
    """

    name: str
    role: str
    oracle: bool = False
