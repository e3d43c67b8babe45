"""Each attribution tool against the edge detector, image by image (thesis 4.3): the table ``paired``.

What the thesis holds its methods against is an edge detector that never looks at the network. The images are the
sample, and the trojans and the network are taken as they are; so a row says what holds for these, and Holm's correction
is over all tools that are compared by one measure on one network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gifthorse.comparisons import Advantage, advantage, holm
from gifthorse.records import digest
from gifthorse.tables.found import Found, Row
from gifthorse.tables.rows import LOWER_IS_BETTER, footprint_rows

AGAINST = "edges_sobel"
"""The edge detector: of those that there are, the one that is in every run with contenders."""

COMPARED = ("pearson", "pearson_alpha", "l1", "auprc", "iou", "pointing_game", "recovering_rate")
"""Measures by which tools are compared."""


def paired_rows(found: Found) -> Iterator[Row]:
    """One row for each network, measure and tool, where the edge detector was scored too."""
    yield from against_edges(list(footprint_rows(found)))


def against_edges(rows: Sequence[Row]) -> Iterator[Row]:
    """The same from rows of the table ``footprint``.

    Floors have a row too, but no p value: they are not among the tools that are tested. An oracle is, and is marked.
    """
    scores: dict[tuple[str, str], dict[str, dict[str, Row]]] = {}
    for row in rows:
        if row["measure"] in COMPARED and row.get("scores"):
            of = scores.setdefault((row["network"], row["measure"]), {}).setdefault(row["tool"], {})
            of.setdefault(row["trojan"], row)
    for (network, measure), tools in scores.items():
        edges = tools.get(AGAINST)
        if edges is None:
            continue
        made = [(tool, *_compared(own, edges, measure)) for tool, own in tools.items() if tool != AGAINST]
        made = [one for one in made if one[1].mean.n]
        tested = {tool: found.p for tool, found, row in made if not row["floor"]}
        corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
        tests = sum(not math.isnan(p) for p in tested.values())
        for tool, found, row in made:
            p_holm = corrected.get(tool, math.nan)
            yield row | {
                "network": network,
                "tool": tool,
                "measure": measure,
                "p": tested.get(tool, math.nan),
                "p_holm": p_holm,
                "tests": tests,
                "consistent": found.consistent(p_holm) if tool in tested else None,
                "note": None if tool in tested else "a floor: shown, and not among the tools that are tested",
            }


def _compared(own: dict[str, Row], edges: dict[str, Row], measure: str) -> tuple[Advantage, dict[str, Any]]:
    """A tool against the edge detector over the images that both have a score of."""
    trojans = [trojan for trojan in own if trojan in edges]
    pairs = [pair for trojan in trojans for pair in zip(own[trojan]["scores"], edges[trojan]["scores"], strict=False)]
    values = [[math.nan if score is None else score for score in pair] for pair in pairs]
    keys = sorted(row["key"] for rows in (own, edges) for trojan, row in rows.items() if trojan in trojans)
    seed = int(digest({"purpose": "paired bootstrap", "measure": measure, "keys": keys})[:15], 16)
    found = advantage([a for a, _ in values], [b for _, b in values], seed, measure in LOWER_IS_BETTER)
    about = next(iter(own.values()))
    short = math.isnan(found.mean.low)
    return found, {
        "against": AGAINST,
        "advantage": found.mean.value,
        "low": found.mean.low,
        "high": found.mean.high,
        "n": found.mean.n,
        "median": found.median,
        "positive": found.positive,
        "interval": None if short else "95% bootstrap over images, for these trojans",
        "trojans": len(trojans),
        "n_unpaired": len(pairs) - found.mean.n,
        "floor": about["floor"],
        "oracle": any(row["oracle"] for row in own.values()),
        "keys": keys,
    }
