"""Each tool against the edge detector, every measure at once, and what the thesis says of attribution tools."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import fixtures_run
import pytest
from fixtures_run import make_run
from fixtures_suite import NETWORK, TILE
from reading import Reader

from gifthorse.report import build, write
from gifthorse.report.build_claims import FAILS, HOLDS, MODEST, OPEN, claims
from gifthorse.report.contexts_page import Page
from gifthorse.report.gather import gather
from gifthorse.report.pictures import Album
from gifthorse.store import Store
from gifthorse.tables import tidy_tables


def row(tool: str, advantage: float, *, consistent: bool = False, network: str = "a", **more: Any) -> dict[str, Any]:
    about = {"tool": tool, "network": network, "measure": "pearson", "advantage": advantage, "consistent": consistent}
    return about | {"floor": False, "oracle": False} | more


def said(rows: list[dict[str, Any]]) -> list[str]:
    desk: Any = SimpleNamespace(run=SimpleNamespace(tables={"paired": rows}))
    return [claim.verdict for claim in claims(desk)]


def everywhere(tool: str, advantage: float, *, consistent: bool = False) -> list[dict[str, Any]]:
    return [row(tool, advantage, consistent=consistent, network=network) for network in ("a", "b")]


THESIS = [
    *everywhere("occlusion", 0.5, consistent=True),
    *(each for tool in MODEST for each in everywhere(tool, 0.1)),
    *everywhere("deeplift", -0.1),
    *everywhere("lrp", 0.0),
]
"""As thesis 4.3 has it."""


def test_every_claim_holds_where_everything_is_as_in_the_thesis() -> None:
    assert said(THESIS) == [HOLDS] * 5
    assert said([]) == []


def changed(tool: str, network: str, **now: Any) -> list[dict[str, Any]]:
    return [each | now if (each["tool"], each["network"]) == (tool, network) else each for each in THESIS]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # one network of two is enough to spoil what is said of both
        (changed("occlusion", "b", consistent=False), [HOLDS, FAILS, HOLDS, HOLDS, HOLDS]),
        (changed("saliency", "b", advantage=-0.01), [HOLDS, HOLDS, FAILS, HOLDS, HOLDS]),
        (changed("lime", "a", advantage=0.5), [HOLDS, HOLDS, HOLDS, FAILS, HOLDS]),
        (changed("lrp", "a", advantage=0.2), [HOLDS] * 5),
        ([*THESIS, *everywhere("guided_backprop", 0.1)], [HOLDS] * 4 + [FAILS]),
        ([*THESIS, *everywhere("deeplift_shap", -0.1, consistent=True)], [HOLDS, FAILS, HOLDS, HOLDS, HOLDS]),
        # what was not run leaves open what it might have shown
        ([each for each in THESIS if each["tool"] != "lime"], [HOLDS, HOLDS, OPEN, OPEN, HOLDS]),
        ([each for each in THESIS if each["tool"] != "occlusion"], [HOLDS, OPEN, HOLDS, OPEN, HOLDS]),
        (everywhere("occlusion", 0.5, consistent=True), [FAILS, OPEN, OPEN, OPEN, OPEN]),
        # neither an oracle, nor a floor, nor one under settings of its own is a method of the thesis
        ([*THESIS, row("occlusion@window=18", 0.9, consistent=True, oracle=True)], [HOLDS] * 5),
        ([*THESIS, *everywhere("saliency@sign=signed", 0.9, consistent=True)], [HOLDS] * 5),
        ([*THESIS, row("random", 0.9, floor=True)], [HOLDS] * 5),
        ([each | {"oracle": each["tool"] == "occlusion"} for each in THESIS], [HOLDS, OPEN, HOLDS, OPEN, HOLDS]),
    ],
)
def test_what_each_claim_rests_on(rows: list[dict[str, Any]], expected: list[str]) -> None:
    assert said(rows) == expected


def test_the_comparison_is_that_of_the_tables(context: Page, store: Store) -> None:
    (part,) = context.attribution
    assert part.compared is not None
    rows = {row["tool"]: row for row in tidy_tables(store)["paired"] if row["measure"] == "pearson"}
    assert {shown.tool.name for shown in part.compared.rows} == set(rows)
    for shown in part.compared.rows:
        told = rows[shown.tool.name]
        assert shown.advantage.value == told["advantage"]
        assert (shown.median.value, shown.positive.value) == (told["median"], told["positive"])
        assert shown.p is not None
        assert shown.p.value == told["p_holm"]
        assert shown.consistent == told["consistent"]
    means = [shown.advantage.value for shown in part.compared.rows]
    assert means == sorted(means, reverse=True)


def test_every_measure_of_every_tool_stands_in_one_of_two_tables(context: Page) -> None:
    (part,) = context.attribution
    square, other = part.measures
    assert square.columns[0] == other.columns[0] == "Pearson correlation"
    assert "Recovering rate" in square.columns
    assert "Pearson correlation of magnitudes" in other.columns
    blank = next(row for row in square.rows if row.tool.name == "blank")
    assert [cell is not None for cell in blank.cells] == [name == "L1 distance" for name in square.columns]


def test_constant_maps_are_named_and_scales_are_told(context: Page, report_html: str) -> None:
    (part,) = context.attribution
    for table in part.maps:
        names = [tool.name for tool in table.tools]
        for shown in table.rows:
            at = dict(zip(names, shown.maps, strict=True))
            blank, occlusion = at["blank"], at["occlusion"]
            assert blank is not None
            assert (blank.picture, blank.under) == (None, "constant")
            assert occlusion is not None
            assert occlusion.picture is not None
            assert occlusion.under.startswith("÷ ")
            assert f"divided by {occlusion.under[2:]}" in occlusion.picture.place
            assert "raw " in occlusion.picture.place
    assert "constant" in {e.text.strip() for e in Reader(report_html).with_class("badge")}


def test_an_oracle_is_marked_wherever_it_is_scored(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixtures_run, "WINDOW", TILE)
    store = make_run(tmp_path / "run")
    page = build(gather(store), Album(side=64, inputs=True))
    (part,) = page.attribution
    assert part.compared is not None
    marked = [
        {shown.tool.name for shown in part.compared.rows if shown.tool.oracle},
        {shown.tool.name for shown in part.scores[0].rows if shown.tool.oracle},
        *({shown.tool.name for shown in table.rows if shown.tool.oracle} for table in part.measures),
    ]
    assert marked == [{"occlusion"}] * 4
    badges = [e.text for e in Reader(write(store, tmp_path / "r.html").read_text()).with_class("badge")]
    assert "oracle" in badges
    verdicts = [claim.verdict for claim in page.claims]
    assert verdicts[1] == OPEN
    assert NETWORK in page.claims[0].because
