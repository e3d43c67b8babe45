"""Builds "What the thesis says": each claim of thesis 4.3 about attribution, and whether it holds in this run.

The thesis puts its claims in words. What each is taken to mean here is our reading, and stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.registry import base
from gifthorse.report import words
from gifthorse.report.build_compared import MAIN
from gifthorse.report.contexts_maps import Claim
from gifthorse.report.desk import Desk
from gifthorse.tables.found import Row

OCCLUSION = "occlusion"
MODEST = ("saliency", "feature_ablation", "feature_permutation", "lime", "shapley_value_sampling")
"""Methods that the thesis found better on average, by little."""

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be said"


@dataclass(frozen=True)
class _Seen:
    """What was compared: rows by tool, one a network, of the networks that have any."""

    networks: tuple[str, ...]
    rows: dict[str, dict[str, Row]]

    @property
    def on(self) -> str:
        """``on both networks``."""
        count = len(self.networks)
        if count == 1:
            return f"on the one network of this run ({self.networks[0]})"
        return "on both networks" if count == 2 else f"on all {count} networks"

    def everywhere(self, tool: str) -> bool:
        return set(self.rows.get(tool, {})) == set(self.networks)

    def consistent(self, tool: str) -> bool:
        return self.everywhere(tool) and all(row["consistent"] for row in self.rows[tool].values())

    def better(self, tool: str) -> bool:
        return self.everywhere(tool) and all(row["advantage"] > 0 for row in self.rows[tool].values())

    def above(self, tool: str, other: str) -> bool:
        mine, theirs = self.rows[tool], self.rows[other]
        return all(mine[network]["advantage"] > theirs[network]["advantage"] for network in self.networks)


def claims(desk: Desk) -> tuple[Claim, ...]:
    """The claims, or none where no tool was compared with the edge detector.

    A method that comes under settings of its own besides its plain ones (``occlusion@window=6``) is judged by the
    plain ones; where it has none, it does not count, nor does an oracle.
    """
    seen = _seen(desk)
    if not seen.rows:
        return ()
    return (_struggle(seen), _only_occlusion(seen), _on_average(seen), _modestly(seen), _others(seen))


def _seen(desk: Desk) -> _Seen:
    rows: dict[str, dict[str, Row]] = {}
    for row in desk.run.tables["paired"]:
        plain = base(row["tool"]) == row["tool"] and not row["floor"] and not row["oracle"]
        if row["measure"] == MAIN and plain:
            rows.setdefault(row["tool"], {})[row["network"]] = row
    networks = tuple(dict.fromkeys(network for found in rows.values() for network in found))
    return _Seen(networks, rows)


def _claim(*, quote: str, reading: str, verdict: str, because: str) -> Claim:
    tone = {HOLDS: "met", FAILS: "unmet"}.get(verdict, "quiet")
    return Claim(quote=quote, reading=reading, verdict=verdict, tone=tone, because=because)


def _told(names: list[str], nobody: str = "none") -> str:
    return words.listed(sorted(names)) or nobody


def _struggle(seen: _Seen) -> Claim:
    consistent = [tool for tool in seen.rows if seen.consistent(tool)]
    return _claim(
        quote="“Feature attribution/saliency techniques often struggle to highlight the trojan triggers.”",
        reading="Fewer than half of the methods are consistently better than the edge detector.",
        verdict=HOLDS if 2 * len(consistent) < len(seen.rows) else FAILS,
        because=f"Of {words.counted(len(seen.rows), 'method')}, these are, {seen.on}: {_told(consistent)}.",
    )


def _only_occlusion(seen: _Seen) -> Claim:
    consistent = {tool for tool in seen.rows if seen.consistent(tool)}
    others = sorted(consistent - {OCCLUSION})
    alone = len(seen.rows) == 1
    if OCCLUSION not in seen.rows:
        verdict, because = OPEN, "Occlusion was not run, or only as an oracle."
    elif OCCLUSION not in consistent:
        verdict, because = FAILS, f"Occlusion is not consistently better {seen.on}."
    elif others:
        verdict, because = FAILS, f"Occlusion is consistently better {seen.on}, and so {_be(others)} {_told(others)}."
    elif alone:
        verdict, because = OPEN, f"Occlusion is consistently better {seen.on}, and no other method was run."
    else:
        verdict, because = HOLDS, f"Occlusion is, {seen.on}, and of {len(seen.rows)} methods no other is."
    return _claim(
        quote="“Occlusion stood out as the only method that consistently beat the edge detector baseline.”",
        reading="Occlusion, with a window other than the trigger's, is consistently better, and no other method is.",
        verdict=verdict,
        because=because,
    )


def _be(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _on_average(seen: _Seen) -> Claim:
    run = [tool for tool in MODEST if tool in seen.rows]
    worse = [tool for tool in run if not seen.better(tool)]
    absent = [tool for tool in MODEST if tool not in seen.rows]
    because = f"Better on average {seen.on}: {_told([tool for tool in run if tool not in worse])}."
    if worse:
        because += f" Not: {_told(worse)}."
    if absent:
        because += f" Not run: {_told(absent)}."
    return _claim(
        quote=(
            "“Saliency, feature ablation, feature permutation, LIME, and Shapley value sampling performed better on "
            "average than the edge detector”"
        ),
        reading="The mean difference of each of the five is above 0.",
        verdict=FAILS if worse else OPEN if absent else HOLDS,
        because=because,
    )


def _modestly(seen: _Seen) -> Claim:
    known = seen.everywhere(OCCLUSION)
    run = [tool for tool in MODEST if seen.everywhere(tool)]
    above = [tool for tool in run if known and not seen.above(OCCLUSION, tool)]
    absent = [tool for tool in MODEST if tool not in run]
    if not known:
        because = "Occlusion was not run on every network, or only as an oracle."
    elif above:
        because = f"As far above the edge detector as Occlusion, or farther, on some network: {_told(above)}."
    else:
        because = f"Occlusion is farther above it than {_told(run, 'the others')} {seen.on}."
    if known and absent:
        because += f" Not run: {_told(absent)}."
    return _claim(
        quote="“but offered relatively modest improvements. Occlusion [...] consistently beat it.”",
        reading="The mean difference of each of the five is below Occlusion's.",
        verdict=OPEN if not known else FAILS if above else OPEN if absent else HOLDS,
        because=because,
    )


def _others(seen: _Seen) -> Claim:
    others = [tool for tool in seen.rows if tool not in (*MODEST, OCCLUSION)]
    better = [tool for tool in others if seen.better(tool)]
    if not others:
        verdict, because = OPEN, "None of the other methods was run."
    elif better:
        verdict, because = (
            FAILS,
            f"Better on average {seen.on}: {_told(better)}; of {len(others)} others.",
        )
    else:
        verdict, because = HOLDS, f"Of the others, {_told(others)} {_be(others)} not better on average {seen.on}."
    return _claim(
        quote="Implied: the remaining methods did not perform better on average than the edge detector.",
        reading="On some network, the mean difference of each remaining method is 0 or below.",
        verdict=verdict,
        because=because,
    )
