"""What every part of the page is built with: the records, the album of pictures, and the ledger of links.

A number is made here and nowhere else, so that none can be shown without the record that it leads to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gifthorse.records import Evidence, Images, Interval, Measure, digest
from gifthorse.report import words
from gifthorse.report.contexts import Link, Number, Picture, ToolName
from gifthorse.report.gather import Kept, Puzzle, Run, role
from gifthorse.report.pictures import Album
from gifthorse.statistics import bootstrap_mean
from gifthorse.tables.found import Row

SEED = 0
"""Of the bootstrap intervals that the page works out itself, over seeds."""


@dataclass
class Ledger:
    """Where numbers lead: to a unit, or to a list of units that is noted here.

    Attributes:
        sums: anchor to what the number is and the keys of its units.
    """

    sums: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def link(self, keys: Sequence[str], what: str) -> str:
        """The anchor of one unit, or of an entry that lists several.

        Args:
            keys: of the units that made the number.
            what: how it was made of them, where they are several.
        """
        unique = tuple(sorted(set(keys)))
        if len(unique) == 1:
            return f"#{unit_anchor(unique[0])}"
        anchor = f"s-{digest([what, list(unique)])[:12]}"
        self.sums[anchor] = (what, unique)
        return f"#{anchor}"


def unit_anchor(key: str) -> str:
    """The anchor of a unit's entry."""
    return f"u-{key[:12]}"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything that a builder needs.

    Attributes:
        everything: whether galleries show more than the kept findings.
    """

    run: Run
    album: Album
    ledger: Ledger
    everything: bool

    def number(self, interval: Interval, keys: Sequence[str], style: str = "score", what: str = "") -> Number:
        """A measured value with its interval.

        Args:
            interval: the value.
            keys: of the units that made it.
            style: ``percent`` or ``score``.
            what: how it was made of several units.
        """
        shown = words.percent(interval.value) if style == "percent" else words.score(interval.value)
        return Number(
            text=shown,
            between=words.between(interval, style),
            n=f"n = {interval.n:,}",
            href=self.ledger.link(keys, what),
            value=interval.value,
        )

    def plain(self, value: float, text: str, keys: Sequence[str], what: str = "") -> Number:
        """A counted value, which has no interval."""
        return Number(text=text, between="", n="", href=self.ledger.link(keys, what), value=value)

    def summed(self, row: Row | None) -> tuple[Interval, Number] | None:
        """A tool's mean as the tables work it out; None where there is none."""
        if row is None or row["value"] is None:
            return None
        low, high = (math.nan if row[end] is None else row[end] for end in ("low", "high"))
        interval = Interval(value=row["value"], low=low, high=high, n=row["n"])
        how = row["interval"] or row["note"] or ""
        what = f"{row['judge']}: mean {row['measure']} of {row['tool']}{f', {how}' if how else ''}"
        number = self.number(interval, row["keys"], what=what)
        return interval, replace(number, n=words.counted(row["n"], str(row["over"]).removesuffix("s")))

    def mean(self, values: Sequence[tuple[float, str]], what: str) -> tuple[Interval, Number] | None:
        """A mean of probabilities over seeds, with its bootstrap interval; None without scores.

        Args:
            values: (score, unit key) each; scores that are not finite are left out.
            what: what it is the mean of.
        """
        finite = [item for item in values if math.isfinite(item[0])]
        if not finite:
            return None
        interval = bootstrap_mean([value for value, _ in finite], SEED, within=(0.0, 1.0))
        return interval, self.number(interval, [key for _, key in finite], what=what)

    def truth(self, puzzle: Puzzle, width: int) -> Picture:
        """The trigger of a puzzle."""
        alt = f"the true trigger: {puzzle.case.trojan.caption}"
        return self.of_case(puzzle, puzzle.case.truth, 0, alt, width)

    def page(self, puzzle: Puzzle) -> Link:
        """The page of a trojan; with its network where several networks have a trojan of this name."""
        several = sum(other.name == puzzle.name for other in self.run.puzzles) > 1
        text = f"{puzzle.name} ({puzzle.network})" if several else puzzle.name
        return Link(href=f"#{trojan_anchor(puzzle)}", text=text)

    def local(self, puzzle: Puzzle) -> Link:
        """The page of a trojan, by its bare name: for parts that are about one network."""
        return Link(href=f"#{trojan_anchor(puzzle)}", text=puzzle.name)

    def of_case(
        self, puzzle: Puzzle, images: Images, index: int, alt: str, width: int, *, private: bool = False
    ) -> Picture:
        """An image of a case, which lies in the unit of its implant."""
        return self.album.stored(puzzle.implant.unit, images, index, alt, width, private=private)


def tool_name(name: str) -> ToolName:
    """A tool with its role."""
    return ToolName(name=name, role=role(name))


def tools_of(pieces: Sequence[Kept[Evidence]]) -> tuple[str, ...]:
    """The tools among pieces of evidence: contenders first, then floors, then the ceiling."""
    rank = {"tool": 0, "floor": 1, "ceiling": 2}
    return tuple(sorted({p.record.tool.name for p in pieces}, key=lambda name: (rank[role(name)], name)))


def trojan_anchor(puzzle: Puzzle) -> str:
    """The anchor of a trojan's page: names may hold anything, so it is made of their digest."""
    return f"t-{digest([puzzle.network, puzzle.name, puzzle.implant.key])[:10]}"


def part_anchor(section: str, *names: str) -> str:
    """The anchor of one network's part of a section."""
    return f"{section}-{digest(list(names))[:8]}"


def classes(puzzle: Puzzle) -> Callable[[int], str]:
    """Class names of a puzzle's network by index; the index itself where there is no such name."""
    names = puzzle.implant.record.trojaned.classes

    def name(index: int) -> str:
        return names[index] if 0 <= index < len(names) else f"class {index}"

    return name


def sources(puzzle: Puzzle) -> str:
    """The classes that a trojan works from, in words."""
    wanted = puzzle.case.trojan.sources
    name = classes(puzzle)
    return "any" if wanted is None else words.listed([name(index) for index in wanted])


def measure_of(measures: Sequence[Measure], name: str) -> Measure | None:
    """A measure by name."""
    return next((measure for measure in measures if measure.name == name), None)
