"""Sums over trojans and comparisons of tools, from rows as the tables give them."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from fixtures_run import make_run
from scipy import stats

from gifthorse.errors import UsageError
from gifthorse.statistics import wilson
from gifthorse.tables import tidy_tables
from gifthorse.tables.compare import by_tool, compare_tools
from gifthorse.tables.found import CEILINGS, FLOORS

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return tidy_tables(make_run(tmp_path_factory.mktemp("run")))


def table(
    scores: dict[str, list[float | None]], networks: int = 1, measure: str = "confidence"
) -> list[dict[str, Any]]:
    """Rows as ``tables`` makes them, from each tool's score on each trojan, the same in every network."""
    return [
        {
            "network": f"net{network}", "tool": tool, "trojan": f"t{place}", "judge": "match", "measure": measure,
            "value": value, "chance": 0.125, "kind": "patch" if place % 2 else "style", "floor": tool in FLOORS,
            "ceiling": tool in CEILINGS, "not_scored": None if value is not None else "refused: no",
            "key": f"{network}{tool}{place}", "n_excluded": 1,
            "scores": None if value is None else [value, None, value],
        }
        for network in range(networks) for tool, values in scores.items() for place, value in enumerate(values)
    ]  # fmt: skip


def test_sums_are_means_over_trojans_from_the_best() -> None:
    generator = np.random.default_rng(0)
    scores: dict[str, list[float | None]] = {
        name: list(generator.random(12) * 0.3 + shift) for name, shift in (("a", 0.1), ("b", 0.5), ("noise", 0.0))
    }
    scores["b"][3] = None
    found = by_tool(table(scores), ("patch",))
    assert [(row["kind"], row["tool"]) for row in found] == [
        (kind, tool) for kind in ("all", "patch") for tool in ("b", "a", "noise")
    ]
    best = found[0]
    there = [value for value in scores["b"] if value is not None]
    assert best["value"] == pytest.approx(np.mean(there))
    assert best["low"] < best["value"] < best["high"]
    assert (best["n"], best["n_cells"], best["n_missing"], best["aggregate"]) == (11, 11, 1, True)
    assert len(best["keys"]) == 11
    assert found[2]["floor"] is True
    assert found[0]["chance"] == 0.125
    assert found == by_tool(table(scores), ("patch",))


def test_sums_are_clustered_by_trojan() -> None:
    scores: dict[str, list[float | None]] = {"a": list(np.random.default_rng(1).random(12))}
    once, thrice = by_tool(table(scores))[0], by_tool(table(scores, networks=3))[0]
    assert (thrice["n"], thrice["n_cells"]) == (12, 36)
    assert (thrice["low"], thrice["high"]) == pytest.approx((once["low"], once["high"]), abs=1e-12)


def test_footprints_are_summed_over_images_unless_trojans_are_asked_for(made: Tables) -> None:
    assert [(row["tool"], row["over"], row["n"]) for row in by_tool(made["footprint"])][:3] == [
        ("occlusion", "images", 6),
        ("saliency", "images", 6),
        ("edges_sobel", "images", 6),
    ]
    one = by_tool(made["footprint"], over="trojans")[0]
    assert (one["n"], one["low"], one["note"]) == (1, None, "no interval: one trojan shows no spread")
    rows = table({"a": [0.2, 0.4, 0.9], "b": [None, 0.3, 0.1]})
    found = by_tool([row | {"judge": "footprint", "measure": "pearson"} for row in rows])
    assert [(row["tool"], row["n"], row["excluded"], row["n_missing"]) for row in found] == [
        ("a", 6, 3, 0),
        ("b", 4, 3, 1),
    ]
    assert found[0]["value"] == pytest.approx(0.5)
    assert found[0]["interval"] == "95% bootstrap over images, for these trojans"
    hits = by_tool([row | {"measure": "pointing_game"} for row in table({"a": [1.0, 0.0, 1.0]})], over="images")[0]
    assert (hits["low"], hits["high"]) == (wilson(4, 6).low, wilson(4, 6).high)
    assert "Wilson" in hits["interval"]


def test_sums_of_distances_begin_with_the_least_and_unscored_tools_end() -> None:
    rows = table({"a": [0.5, 0.6], "b": [0.1, 0.3], "c": [None, None]}, measure="l1")
    found = by_tool([row | {"lower_is_better": True} for row in rows])
    assert [row["tool"] for row in found] == ["b", "a", "c"]
    assert (found[2]["value"], found[2]["note"], found[2]["n_missing"]) == (None, "refused: no", 2)


def test_one_trojan_has_a_mean_without_an_interval() -> None:
    row = by_tool(table({"a": [0.5]}))[0]
    assert (row["value"], row["low"], row["interval"]) == (0.5, None, None)
    assert row["note"] == "no interval: one trojan shows no spread"


def test_a_comparison_is_a_paired_test_over_shared_trojans_with_holm() -> None:
    generator = np.random.default_rng(2)
    base = generator.random(24) * 0.3
    scores: dict[str, list[float | None]] = {
        "a": list(base + 0.3 + generator.normal(0, 0.05, 24)),
        "b": list(base + generator.normal(0, 0.05, 24)),
        "c": list(base + generator.normal(0, 0.05, 24)),
    }
    scores["b"][0] = None
    found = compare_tools(table(scores))
    assert [(row["a"], row["b"]) for row in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    expected = [
        stats.ttest_rel(np.array(scores["a"][1:], float), np.array(scores["b"][1:], float)).pvalue,
        stats.ttest_rel(np.array(scores["a"], float), np.array(scores["c"], float)).pvalue,
        stats.ttest_rel(np.array(scores["b"][1:], float), np.array(scores["c"][1:], float)).pvalue,
    ]
    assert [row["p"] for row in found] == pytest.approx(expected, abs=1e-10)
    small, middle, large = sorted(expected)
    corrected = {small: 3 * small, middle: max(3 * small, 2 * middle), large: large}
    assert large > 2 * middle
    assert [row["p_holm"] for row in found] == pytest.approx([corrected[p] for p in expected], rel=1e-3, abs=0)
    assert {row["pairs"] for row in found} == {3}
    assert [row["winner"] for row in found] == ["a", "a", None]
    assert found[0]["trojans"] == 23
    assert found[0]["statement"].startswith("a beats b: difference 0.")
    assert "23 trojans show differences of about 0.0" in found[0]["statement"]
    assert "not told apart" in found[2]["statement"]


def test_copies_in_other_networks_do_not_make_a_difference_surer() -> None:
    generator = np.random.default_rng(3)
    scores: dict[str, list[float | None]] = {name: list(generator.random(12)) for name in "ab"}
    once, thrice = compare_tools(table(scores))[0], compare_tools(table(scores, networks=3))[0]
    assert thrice["networks"] == 3
    assert thrice["p"] >= once["p"] - 1e-12


def test_less_is_better_where_it_is() -> None:
    generator = np.random.default_rng(4)
    scores: dict[str, list[float | None]] = {"a": list(generator.random(9)), "b": list(generator.random(9) + 3)}
    rows = [row | {"lower_is_better": True} for row in table(scores, measure="l1")]
    found = compare_tools(rows)[0]
    assert found["difference"] < 0
    assert found["winner"] == "a"


def test_controls_are_compared_with_contenders_only() -> None:
    scores: dict[str, list[float | None]] = {name: [0.1, 0.2, 0.4] for name in ("noise", "truth", "a")}
    assert {(row["a"], row["b"]) for row in compare_tools(table(scores))} == {("a", "noise"), ("a", "truth")}
    assert [(row["a"], row["b"]) for row in compare_tools(table(scores), "noise")] == [
        ("a", "noise"),
        ("truth", "noise"),
    ]
    assert compare_tools(table(scores), "nobody") == []


def test_too_few_trojans_in_common_are_said_so() -> None:
    found = compare_tools(table({"a": [0.1, None], "b": [0.3, 0.2], "c": [None, 0.2]}))
    said = {(row["a"], row["b"]): row for row in found}
    assert said["a", "c"]["statement"] == "a and c have no trojan in common: two are needed to compare them."
    assert "1 trojan in common" in said["a", "b"]["statement"]
    assert said["a", "b"]["p"] is None
    assert said["a", "b"]["winner"] is None
    json.dumps(found, allow_nan=False)
    with pytest.raises(UsageError, match="level"):
        compare_tools([], level=5)


def test_the_tables_are_not_changed_by_summing(made: Tables) -> None:
    before = copy.deepcopy(made)
    by_tool(made["match"], ("patch", "style"))
    compare_tools(made["footprint"])
    assert made == before
