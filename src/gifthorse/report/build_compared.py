"""Builds what is said of attribution tools together: each against the edge detector, and every measure at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gifthorse.records import Interval
from gifthorse.report import words
from gifthorse.report.charts import Mark, Span, axis, interval
from gifthorse.report.contexts import Number, ToolName
from gifthorse.report.contexts_maps import Compared, ComparedRow, MeasureRow, MeasureTable
from gifthorse.report.desk import Desk, tool_name
from gifthorse.tables.found import Row

MAIN = "pearson"
"""The measure of the thesis, by which tools are compared."""

NOTE = (
    "Differences of scores on the same images, the tool's minus the edge detector's, which never looks at the network. "
    "The range under a mean: 95% bootstrap over images, for these trojans. p is that of a paired t test after Holm's "
    "correction over all tools that look at the network. Consistently better is a median difference above 0, better "
    "in at least 75% of images, and p below 0.05; the thesis says no more than the word."
)

TABLES = (
    (
        "Every measure, against the trigger's square",
        "Means over images. Distance: lower is better, and a blank map has the square's share of the image. Overlap: "
        "of the square with as many of the map's highest pixels. Recovering rate: share of images whose class returns "
        "when the original pixels are pasted back there.",
        ("pearson", "l1", "auprc", "iou", "pointing_game", "recovering_rate"),
    ),
    (
        "Under other conventions",
        "The same maps scored by their magnitudes and by their positive parts alone, and against the drawing's own "
        "outline instead of its square. Maps without a value below 0 score alike under each sign.",
        (
            "pearson",
            "pearson_absolute",
            "pearson_positive",
            "pearson_alpha",
            "auprc_alpha",
            "iou_alpha",
            "pointing_game_alpha",
        ),
    ),
)


def oracles(desk: Desk, network: str) -> frozenset[str]:
    """Tools whose window is as large as a trigger of a network."""
    rows = desk.run.tables["footprint"]
    return frozenset(row["tool"] for row in rows if row["oracle"] and row["network"] == network)


def named(desk: Desk, network: str, tool: str) -> ToolName:
    """A tool with its role, marked where it is an oracle."""
    made = tool_name(tool)
    return ToolName(name=made.name, role=made.role, oracle=tool in oracles(desk, network))


def compared(desk: Desk, network: str) -> Compared | None:
    """Each tool against the edge detector on one network, or None where nothing was compared."""
    rows = [row for row in desk.run.tables["paired"] if (row["network"], row["measure"]) == (network, MAIN)]
    if not rows:
        return None
    reach = max(1e-9, *(abs(row[end]) for row in rows for end in ("advantage", "low", "high") if row[end] is not None))
    edge = next(step for step in (0.25, 0.5, 1.0, 2.0) if reach <= step or step == 2.0)
    span = Span(low=-edge, high=edge)
    ticks = (-edge, 0.0, edge)  # five would run into one another on a phone
    return Compared(
        against=rows[0]["against"],
        measure=words.measure(MAIN),
        note=NOTE,
        axis=axis(ticks, [words.score(tick, 2 if tick else 0) for tick in ticks], span=span),
        rows=tuple(_row(desk, row, span) for row in sorted(rows, key=_best_first)),
    )


def _best_first(row: Row) -> tuple[bool, float, str]:
    return row["floor"], -row["advantage"], row["tool"]


def _row(desk: Desk, row: Row, span: Span) -> ComparedRow:
    tool, keys, against = row["tool"], row["keys"], row["against"]
    low, high = (math.nan if row[end] is None else row[end] for end in ("low", "high"))
    mean = Interval(value=row["advantage"], low=low, high=high, n=row["n"])
    what = f"{words.measure(row['measure'])} of {tool} minus that of {against}, image by image"
    label = f"{what}: mean {words.score(mean.value)}, {words.counted(mean.n, 'image')}"
    consistent = bool(row["consistent"])
    p = math.nan if row["p_holm"] is None else row["p_holm"]
    return ComparedRow(
        tool=named(desk, row["network"], tool),
        advantage=desk.number(mean, keys, what=f"mean {what}"),
        chart=interval(mean, label, span=span, marks=[Mark(value=0.0, kind="chance")], tone=tool_name(tool).role),
        median=desk.plain(row["median"], words.score(row["median"]), keys, f"median {what}"),
        positive=desk.plain(row["positive"], words.percent(row["positive"], 0), keys, f"share above 0 of {what}"),
        p=None if row["floor"] else desk.plain(p, _p(p), keys, f"p of {what}"),
        images=desk.plain(mean.n, words.whole(mean.n), keys, f"images, {what}"),
        verdict="" if row["floor"] else "consistently better" if consistent else "not consistently",
        consistent=consistent,
    )


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def measures(desk: Desk, network: str) -> tuple[MeasureTable, ...]:
    """Every tool's means on one network, in two tables."""
    sums = {key[2:]: row for key, row in desk.run.sums.items() if key[:2] == (network, "footprint")}
    return tuple(made for title, note, names in TABLES if (made := _table(desk, network, sums, (title, note, names))))


def _table(
    desk: Desk, network: str, sums: dict[tuple[str, str], Row], what: tuple[str, str, Sequence[str]]
) -> MeasureTable | None:
    title, note, names = what
    there = [name for name in names if any(row["value"] is not None for (at, _), row in sums.items() if at == name)]
    tools = sorted({tool for (name, tool), row in sums.items() if name in there and row["value"] is not None})
    if not tools:
        return None
    rows = [
        MeasureRow(tool=named(desk, network, tool), cells=tuple(_cell(desk, sums.get((name, tool))) for name in there))
        for tool in tools
    ]
    chances = [next((r["chance"] for (at, _), r in sums.items() if at == name and r["chance"] is not None), None)
               for name in there]  # fmt: skip
    return MeasureTable(
        title=title,
        note=note,
        columns=tuple(words.measure(name) for name in there),
        chance=tuple("" if chance is None else words.score(chance, 2 if chance else 0) for chance in chances),
        rows=tuple(sorted(rows, key=lambda row: (row.tool.role != "tool", -_value(row.cells[0]), row.tool.name))),
    )


def _cell(desk: Desk, row: Row | None) -> Number | None:
    found = desk.summed(row)
    return found[1] if found else None


def _value(number: Number | None) -> float:
    return number.value if number else -math.inf
