"""Sums over trojans: each tool's mean with its interval, and which tool beats which.

Both work on rows of the tables ``match`` and ``footprint`` (of one judge, and of one measure). What is said of tools in
general rests on trojans as the sample: twelve of them separate differences of about 17 points, and every row here says
what the size at hand can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, Literal

from gifthorse.comparisons import Comparison, Scores, holm, two_way
from gifthorse.errors import UsageError
from gifthorse.records import Interval, digest
from gifthorse.statistics import bootstrap_mean, wilson
from gifthorse.tables.found import MEASURES
from gifthorse.tables.rows import COUNTED

Row = dict[str, Any]
Over = Literal["trojans", "images"]

BOUNDS = {"confidence": (0.0, 1.0)} | {
    name: (-1.0, 1.0) if name.startswith("pearson") else (0.0, 2.0) if name == "l1" else (0.0, 1.0) for name in MEASURES
}
"""Least and greatest value of a measure, at which the limits of its mean are cut."""

ALL = "all"
"""In the columns ``network`` and ``kind`` of a sum: over everything."""


def by_tool(rows: Sequence[Row], kinds: Iterable[str] = (), over: Over | None = None) -> list[Row]:
    """Each tool's mean over everything that it was scored on, with its interval.

    Over ``trojans``, these are the sample: each trojan's value counts once a network, and the bootstrap draws trojans.
    Over ``images``, the trojans are taken as they are, every single score counts, and the bootstrap draws those: such a
    mean is true of this benchmark, and says less of other trojans.

    Args:
        rows: of the table ``match`` or ``footprint``, as :func:`gifthorse.tables.tables` gives them.
        kinds: trojan kinds for which there are rows of their own, besides those over all.
        over: what is drawn; where it is not said, images for footprints and trojans for everything else.

    Returns:
        Rows with ``aggregate`` true and the columns network (``all``), tool, trojan (``all``), kind, judge, measure,
        value, low, high, n (trojans, or scores), over, interval, chance, floor, ceiling, lower_is_better, trojans,
        n_cells, n_missing (network and trojan pairs that other tools have a score for and this one has not), excluded
        (images that were left out), note, keys (of the units that it was made from). Ordered by judge and measure,
        then kind, then from the best to the worst.
    """
    sums: list[Row] = []
    for judged in _groups(rows):
        drawn = over or ("images" if judged[0]["judge"] == "footprint" else "trojans")
        for kind in (ALL, *kinds):
            chosen = [row for row in judged if kind in (ALL, row["kind"])]
            made = [_sum(tool, kind, chosen, drawn) for tool in sorted({row["tool"] for row in chosen})]
            sums += sorted(made, key=_best_first)
    return sums


def compare_tools(rows: Sequence[Row], against: str | None = None, level: float = 0.05) -> list[Row]:
    """Pairs of tools: the two-way difference over the trojans that both were scored on, with Holm's correction.

    Trojans are the sample (t with T - 1 degrees of freedom), and networks the units that share whatever is theirs.
    Rows of several judges or measures are corrected together, since they are read together.

    Args:
        rows: of the table ``match`` or ``footprint``.
        against: compare only with this tool; otherwise every pair but those of two controls.
        level: of the corrected test.

    Returns:
        Rows with the columns judge, measure, a, b, difference (a minus b), low, high (95%, not corrected), p, p_holm,
        pairs (tests that were corrected together), winner (None where nothing is shown), trojans, networks, resolvable
        (the smallest true difference that this size and spread shows with power 0.8), statement. Numbers that do not
        exist, as with fewer than two trojans, are None.
    """
    if not 0 < level < 1:
        raise UsageError(f"a test at level {level} was asked for", "pass one above 0 and below 1, such as 0.05")
    found: list[tuple[Row, Comparison | None]] = []
    for judged in _groups(rows):
        for a, b in _pairs(judged, against):
            found.append(_compared(judged, a, b))
    p_values = [math.nan if comparison is None else comparison.p for _, comparison in found]
    corrected = holm(p_values)
    tests = sum(not math.isnan(p) for p in p_values)
    return [_told(row, comparison, p, (tests, level)) for (row, comparison), p in zip(found, corrected, strict=True)]


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of one judge and measure at a time, in the order of their first row."""
    for judge, measure in dict.fromkeys((row["judge"], row["measure"]) for row in rows):
        yield [row for row in rows if (row["judge"], row["measure"]) == (judge, measure)]


def _sum(tool: str, kind: str, rows: Sequence[Row], over: Over) -> Row:
    own = [row for row in rows if row["tool"] == tool]
    scored = [row for row in own if row["value"] is not None]
    asked = {(row["network"], row["trojan"]) for row in rows if row["value"] is not None}
    about = {"kind": kind, "tool": tool, "judge": own[0]["judge"], "measure": own[0]["measure"], "over": over}
    mean, how = _mean(scored, about)
    chances = [row["chance"] for row in scored if row["chance"] is not None]
    trojans = len({row["trojan"] for row in scored})
    note = None
    if not scored:
        note = own[0]["not_scored"] or "not scored"
    elif not math.isfinite(mean.low):
        note = f"no interval: one {over[:-1]} shows no spread"
    return about | {
        "aggregate": True,
        "network": ALL,
        "trojan": ALL,
        "value": _number(mean.value),
        "low": _number(mean.low),
        "high": _number(mean.high),
        "n": trojans if over == "trojans" else mean.n,
        "interval": how if math.isfinite(mean.low) and scored else None,
        "chance": sum(chances) / len(chances) if chances else None,
        "floor": own[0]["floor"],
        "ceiling": own[0]["ceiling"],
        "lower_is_better": own[0].get("lower_is_better", False),
        "trojans": trojans,
        "n_cells": len(scored),
        "n_missing": len(asked - {(row["network"], row["trojan"]) for row in scored}),
        "excluded": sum(row["n_excluded"] or 0 for row in own),
        "note": note,
        "keys": sorted(row["key"] for row in scored),
    }


def _mean(scored: Sequence[Row], about: Row) -> tuple[Interval, str]:
    """The mean of a tool's rows and what its interval is."""
    seed, bounds = int(digest(about)[:16], 16), BOUNDS.get(about["measure"])
    if about["over"] == "trojans":
        values, clusters = [row["value"] for row in scored], [row["trojan"] for row in scored]
        return bootstrap_mean(values, seed, clusters, within=bounds), "95% bootstrap over trojans"
    scores = [score for row in scored for score in row["scores"] or () if score is not None]
    if about["measure"] in COUNTED and set(scores) <= {0.0, 1.0}:
        return wilson(round(sum(scores)), len(scores)), "95% Wilson over images, for these trojans"
    return bootstrap_mean(scores, seed, within=bounds), "95% bootstrap over images, for these trojans"


def _best_first(row: Row) -> tuple[bool, float, str]:
    value = row["value"]
    if value is None:
        return True, 0.0, row["tool"]
    return False, value if row["lower_is_better"] else -value, row["tool"]


def _pairs(rows: Sequence[Row], against: str | None) -> list[tuple[str, str]]:
    controls = {row["tool"]: row["floor"] or row["ceiling"] for row in rows}
    if against is not None:
        return [(tool, against) for tool in sorted(controls) if tool != against and against in controls]
    return [(a, b) for a, b in combinations(sorted(controls), 2) if not (controls[a] and controls[b])]


def _compared(rows: Sequence[Row], a: str, b: str) -> tuple[Row, Comparison | None]:
    about = {name: rows[0].get(name) for name in ("judge", "measure")} | {"a": a, "b": b}
    about["lower_is_better"] = rows[0].get("lower_is_better", False)
    scored = {tool: [row for row in rows if row["tool"] == tool and row["value"] is not None] for tool in (a, b)}
    cells = {tool: {(row["network"], row["trojan"]) for row in own} for tool, own in scored.items()}
    both = cells[a] & cells[b]
    about["networks"] = len({network for network, _ in both})
    about["trojans"] = len({trojan for _, trojan in both})
    if not both:
        return about, None
    return about, two_way(_scores(scored[a], both), _scores(scored[b], both))


def _scores(rows: Sequence[Row], cells: set[tuple[str, str]]) -> Scores:
    shared = [row for row in rows if (row["network"], row["trojan"]) in cells]
    return Scores(
        values=[row["value"] for row in shared],
        units=[row["network"] for row in shared],
        trojans=[row["trojan"] for row in shared],
    )


def _told(about: Row, comparison: Comparison | None, corrected: float, of: tuple[int, float]) -> Row:
    tests, level = of
    row = {name: about[name] for name in ("judge", "measure", "a", "b")}
    difference = comparison.difference if comparison else None
    row |= {
        "difference": difference.value if difference else None,
        "low": _number(difference.low) if difference else None,
        "high": _number(difference.high) if difference else None,
        "p": _number(comparison.p) if comparison else None,
        "p_holm": _number(corrected),
        "pairs": tests,
        "trojans": about["trojans"],
        "networks": about["networks"],
        "resolvable": _number(comparison.resolvable()) if comparison else None,
    }
    shown = difference is not None and corrected <= level and difference.value != 0
    first = difference is not None and (difference.value > 0) != about["lower_is_better"]
    winner = (about["a"] if first else about["b"]) if shown else None
    return row | {"winner": winner, "statement": _statement(row, winner)}


def _statement(row: Row, winner: str | None) -> str:
    a, b, trojans = row["a"], row["b"], row["trojans"]
    if row["p"] is None:
        few = "no trojan" if trojans == 0 else f"{trojans} trojan" if trojans == 1 else f"{trojans} trojans"
        return f"{a} and {b} have {few} in common: two are needed to compare them."
    size = f"{trojans} trojans show differences of about {row['resolvable']:.2f} or more (power 0.8)"
    test = f"p = {row['p_holm']:.2g} after Holm's correction for {row['pairs']}"
    if winner is None:
        return f"{a} and {b} are not told apart: difference {row['difference']:+.2f}, {test}; {size}."
    loser = b if winner == a else a
    return f"{winner} beats {loser}: difference {abs(row['difference']):.2f}, {test}; {size}."


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
