"""Context of the pages of experiments: charts, one table, and galleries of patches."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import Fact, Picture


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of a gallery.

    Attributes:
        picture: as it is.
        strong: what is said first under it.
        said: what is said after that.
    """

    picture: Picture
    strong: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures under a heading.

    Attributes:
        name: the heading.
        shown: the pictures.
        empty: what is said where there is none.
    """

    name: str
    shown: tuple[Shown, ...]
    empty: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing of figures.

    Attributes:
        name: what it is of, said over it.
        drawing: the chart.
    """

    name: str
    drawing: Markup


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table.

    Attributes:
        name: of the arm.
        cells: its figures in words.
        spread: every attack's figure, drawn, or nothing.
    """

    name: str
    cells: tuple[str, ...]
    spread: Markup


@dataclass(frozen=True, kw_only=True)
class ExperimentPage:
    """Everything on the page.

    Attributes:
        title: of the page and the browser's tab.
        facts: network, attacks and the like.
        lead: what the figures mean.
        heading: over the charts and the table.
        charts: drawn.
        columns: heads of the table after the first; the last stands over ``spread``.
        rows: of the table.
        notes: below it, in words.
        galleries: of patches.
        style: the style sheet.
    """

    title: str
    facts: tuple[Fact, ...]
    lead: str
    heading: str
    charts: tuple[Chart, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    galleries: tuple[Gallery, ...]
    style: Markup
