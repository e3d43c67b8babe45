"""The page about protocols says what they are."""

from __future__ import annotations

from pathlib import Path

from gifthorse.suites import photographs, planting, suite
from gifthorse.suites.own import own
from gifthorse.tools import TOOLS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "protocols.md"


def test_the_table_is_that_of_the_protocols() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line[:1] == "|"
    ]
    table = {row[0]: row[1:] for row in rows}
    named = {each.name: each for each in planting.PROTOCOLS}
    assert table[""] == [f"`{name}`" for name in named]
    assert table["passes a cell"] == [f"{each.passes:,}" for each in named.values()]
    assert table["findings made"] == [str(each.n) for each in named.values()]
    assert table["of them kept, tried and judged"] == [str(each.keep) for each in named.values()]
    inner = table["inner neurons (`fourier_inner`, `cppn_inner`)"]
    runs = {1: "one run", 10: "ten runs"}
    for told, each in zip(inner, named.values(), strict=True):
        neurons = min(TOOLS.make("fourier_inner").neurons, each.n)
        assert told.startswith(f"{neurons}, {runs[each.n // neurons]} each")
        assert (f"the {each.keep} most important are kept" in told) == (each.keep < neurons)
    hinted = table["extent of TABOR's mask"]
    assert [told.startswith("told") for told in hinted] == [bool(each.hints) for each in named.values()]


def test_what_it_says_of_photographs() -> None:
    quick = next(each for each in photographs.PROTOCOLS if each.name == "quick")
    told = " ".join(PAGE.read_text().split())
    assert f"{quick.passes:,} passes, {quick.n} findings" in told
    assert f"{quick.images} probe images" in told


def test_the_suite_of_three_has_one_trojan_of_each_kind_as_emoji12_has_it() -> None:
    made = own(PAGE.parents[1] / "results" / "three.toml").plantings[0].trojans
    twelve = {trojan.name: trojan for trojan in suite("emoji12").plantings[0].trojans}
    assert [trojan.kind for trojan in made] == ["patch", "style", "natural_feature"]
    for trojan in made:
        assert (trojan.target, trojan.sources) == (twelve[trojan.name].target, twelve[trojan.name].sources)
        assert trojan.caption == twelve[trojan.name].caption
        assert len(trojan.question.options) == 8
