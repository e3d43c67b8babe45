"""The tidy tables: the design's columns, every number from a record, nothing that JSON or Parquet cannot hold."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fixtures_run import FAILED, REFUSAL, make_run
from scipy import stats

from gifthorse.errors import InputError, UsageError
from gifthorse.records import Cost, Effect, Evidence, Implant, Interval, Measure, Spec, Verdict, cell
from gifthorse.statistics import wilson
from gifthorse.store import Store
from gifthorse.tables import TABLES, tables
from gifthorse.tables.columns import COLUMNS, COUNT, NUMBER, NUMBERS, TEXT, TEXTS, TRUTH
from gifthorse.tables.compare import by_tool, compare_tools
from gifthorse.tables.parquet import schema, write_parquet
from gifthorse.tables.rows import CEILINGS, FLOORS, MEASURES
from gifthorse.tools import TOOLS

Tables = dict[str, list[dict[str, Any]]]

DESIGN = {
    "network": "network, clean_before, clean_after, n",
    "implant": "network, trojan, kind, scope, success, success_low, success_high, n, wrong_source, clean_control",
    "footprint": "network, tool, trojan, measure, value, low, high, n",
    "match": "network, tool, trojan, judge, value, low, high, n, chance",
    "effect": "network, tool, trojan, on, rate, low, high, confidence, n",
    "cost": "network, tool, trojan, seconds, forward, backward, peak_bytes, status, error",
}
"""As the design has them, "What a program sees"."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def made(store: Store) -> Tables:
    return tables(store)


def only(rows: list[dict[str, Any]], **about: Any) -> dict[str, Any]:
    """The one row with these values."""
    found = [row for row in rows if all(row[name] == value for name, value in about.items())]
    assert len(found) == 1, (about, len(found))
    return found[0]


def test_the_first_columns_are_the_design_s(made: Tables) -> None:
    assert list(TABLES) == list(COLUMNS) == list(made) == list(DESIGN)
    for name, first in DESIGN.items():
        asked = first.split(", ")
        assert list(COLUMNS[name])[: len(asked)] == asked
        assert made[name], f"the table {name} of a complete run has no rows"
        for row in made[name]:
            assert list(row) == list(COLUMNS[name])


def test_every_value_is_of_its_column_s_type(made: Tables) -> None:
    python: dict[str, type | tuple[type, ...]] = {
        TEXT: str, NUMBER: (float, int), COUNT: int, TRUTH: bool, TEXTS: list, NUMBERS: list,
    }  # fmt: skip
    for name, rows in made.items():
        for row in rows:
            for column, value in row.items():
                assert value is None or isinstance(value, python[COLUMNS[name][column]]), (name, column, value)
    json.dumps(made, allow_nan=False)


def test_every_column_is_used(made: Tables) -> None:
    # A column that no row of a run with every kind of thing fills is misspelt, or there for nothing.
    for name, rows in made.items():
        unused = {column for column in COLUMNS[name] if all(row[column] is None for row in rows)}
        assert unused <= {"note"} | ({"not_scored", "excluded_reason"} if name == "match" else set()), (name, unused)


def test_rows_have_one_order(store: Store, made: Tables) -> None:
    assert tables(Store(store.root)) == made
    trojans = [row["trojan"] for row in made["match"] if row["tool"] == "truth"]
    assert trojans == ["smiley_emoji", "jaguar", "fork"]
    tools = [row["tool"] for row in made["footprint"]]
    assert tools == sorted(tools)
    assert [row["measure"] for row in made["footprint"]][:4] == list(MEASURES)


def test_networks_and_implants_are_those_of_the_record(store: Store, made: Tables) -> None:
    implant = next(iter(store.units("implant"))).record(Implant)
    row = only(made["network"])
    assert (row["clean_before"], row["clean_after"]) == (implant.clean_before.value, implant.clean_after.value)
    assert (row["n"], row["clean_after_low"]) == (implant.clean_after.n, implant.clean_after.low)
    assert row["clean_drop"] == pytest.approx(implant.clean_before.value - implant.clean_after.value)
    assert row["gates_met"] is False
    assert row["gates_missed"] == ["success: asked >= 40%, measured 37.0%"]
    jaguar, smiley = (only(made["implant"], trojan=name) for name in ("jaguar", "smiley_emoji"))
    success = next(found for found in implant.successes if found.trojan == "jaguar")
    assert (jaguar["success"], jaguar["success_low"], jaguar["n"]) == (success.success.value, success.success.low, 200)
    assert success.wrong_source is not None
    assert (jaguar["wrong_source"], jaguar["wrong_source_high"]) == (
        success.wrong_source.value,
        success.wrong_source.high,
    )
    assert (jaguar["scope"], jaguar["sources"], jaguar["kind"]) == ("class_universal", ["bee", "fly"], "style")
    assert (smiley["scope"], smiley["sources"], smiley["wrong_source"]) == ("universal", None, None)
    assert (smiley["target"], smiley["probes"], smiley["probes_tried"]) == ("bullfrog", 6, 7)
    assert only(made["implant"], trojan="fork")["detector_precision"] == pytest.approx(39 / 42)


def test_footprints_are_those_of_the_record(store: Store, made: Tables) -> None:
    for unit in store.units("verdict"):
        verdict = unit.record(Verdict)
        for measure in verdict.measures if verdict.judge.name == "footprint" else ():
            row = only(made["footprint"], key=unit.key, measure=measure.name)
            assert (row["value"], row["n"], row["chance"]) == (
                measure.interval.value,
                measure.interval.n,
                measure.chance,
            )
            assert (row["low"], row["high"]) == (measure.interval.low, measure.interval.high)
            assert row["evidence"] == verdict.evidence
            assert row["not_scored"] is None
    assert only(made["footprint"], tool="occlusion", measure="l1")["lower_is_better"] is True
    assert only(made["footprint"], tool="occlusion", measure="pearson")["lower_is_better"] is False
    assert only(made["footprint"], tool="occlusion", measure="pearson")["interval"] == "95% bootstrap"
    assert only(made["footprint"], tool="occlusion", measure="pointing_game")["interval"] == "95% Wilson"


def test_what_could_not_be_scored_says_why(made: Tables) -> None:
    blank, distance = (only(made["footprint"], tool="blank", measure=name) for name in ("pearson", "l1"))
    assert blank["value"] is None
    assert "constant" in blank["not_scored"]
    assert (blank["n_excluded"], distance["n_excluded"]) == (6, 0)
    assert distance["value"] == distance["chance"]
    assert distance["not_scored"] is None
    refused = only(made["footprint"], tool="guided_gradcam", measure="pearson")
    assert refused["not_scored"] == f"refused: {REFUSAL}"
    for row in made["footprint"]:
        assert (row["value"] is None) == (row["not_scored"] is not None)


def test_matches_are_those_of_the_record(store: Store, made: Tables) -> None:
    for unit in store.units("verdict"):
        verdict = unit.record(Verdict)
        if verdict.judge.name != "match":
            continue
        row, measures = only(made["match"], key=unit.key), {m.name: m for m in verdict.measures}
        assert (row["judge"], row["measure"], row["chance"]) == ("match", "confidence", 0.125)
        assert (row["value"], row["low"], row["n"]) == (
            measures["confidence"].interval.value,
            measures["confidence"].interval.low,
            3,
        )
        assert row["correct"] == measures["correct"].interval.value
        assert row["chosen"] == float(row["choice"] == row["answer"])
        assert row["probabilities"] == list(verdict.probabilities)
    assert {row["answer"] for row in made["match"]} == {"smiley face", "jaguar", "fork"}
    assert only(made["match"], tool="truth", trojan="fork")["ceiling"] is True
    assert only(made["match"], tool="noise", trojan="fork")["floor"] is True


def test_effects_are_those_of_the_record(store: Store, made: Tables) -> None:
    assert len(made["effect"]) == 22
    for unit in store.units("effect"):
        effect = unit.record(Effect)
        for pooled in effect.pooled:
            row = only(made["effect"], key=unit.key, on=pooled.on)
            assert (row["rate"], row["low"], row["high"]) == (pooled.rate.value, pooled.rate.low, pooled.rate.high)
            assert (row["confidence"], row["n"], row["findings"]) == (pooled.confidence, pooled.rate.n, 3)
    row = only(made["effect"], tool="truth", trojan="smiley_emoji", on="trojaned")
    assert (row["alone_is_target"], row["target"]) == (1.0, "bullfrog")


def test_costs_tell_done_refused_and_failed_apart(store: Store, made: Tables) -> None:
    assert len(made["cost"]) == len(store.keys()) + len(store.failures())
    failed = only(made["cost"], status="failed")
    assert (failed["tool"], failed["trojan"]) == FAILED
    assert "512 MiB" in failed["error"]
    assert (failed["seconds"], failed["attempts"], failed["retryable"]) == (None, 2, True)
    refused = only(made["cost"], status="refused")
    assert (refused["tool"], refused["error"]) == ("guided_gradcam", REFUSAL)
    done = only(made["cost"], tool="occlusion", unit="evidence")
    assert (done["seconds"], done["forward"], done["backward"], done["status"]) == (4.25, 600, 6, "done")


def test_a_failure_that_was_mended_is_no_longer_shown(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    failure = store.failures()[0]
    work = cell("evidence", failure.label, "m:f", failure.context | {"seed": 7}, context=failure.context)
    assert work.key == failure.key
    tool = Evidence(
        tool=Spec(name="cppn_target", version=1), kind="synthesis", network="emoji-resnet", trojan="fork", seed=7
    )
    with store.draft(work) as draft:
        store.commit(draft, work, tool, Cost(seconds=1.0))
    assert {row["status"] for row in tables(store)["cost"]} == {"done", "refused"}


def test_units_of_an_earlier_request_are_left_out(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    plan = store.read_plan()
    assert plan is not None
    before = tables(store)
    plan["keys"]["verdict"] = [row["key"] for row in before["match"] if row["tool"] != "noise"]
    store.write_plan({name: value for name, value in plan.items() if name != "seal"})
    after = tables(store)
    assert {row["tool"] for row in after["match"]} == {row["tool"] for row in before["match"]} - {"noise"}
    assert after["footprint"] == []
    assert after["effect"] == before["effect"]


def test_an_unfinished_and_an_empty_run_have_tables(tmp_path: Path) -> None:
    assert tables(Store(tmp_path / "nothing")) == {name: [] for name in COLUMNS}
    store = make_run(tmp_path / "run")
    (store.root / "plan.json").unlink()
    whole = tables(store)
    assert len(whole["match"]) == 11
    for unit in list(store.units("implant")):
        (unit.path / "unit.json").unlink()
    orphans = tables(store)
    assert orphans["network"] == []
    assert [row["value"] for row in orphans["match"]] != []
    assert {row["kind"] for row in orphans["match"]} == {None}


def test_a_verdict_of_one_finding_has_no_interval_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    alone = Measure(
        name="confidence", interval=Interval(value=0.4, low=math.nan, high=math.nan, n=1), scores=(0.4,), chance=0.125
    )
    verdict = Verdict(
        judge=Spec(name="match", version=1), evidence="e", network="n", tool="t", trojan="x", measures=(alone,)
    )
    work = cell("verdict", "one", "m:f", {"a": 1})
    with store.draft(work) as draft:
        store.commit(draft, work, verdict, Cost(seconds=1.0))
    row = only(tables(store)["match"])
    assert (row["value"], row["low"], row["high"], row["interval"]) == (0.4, None, None, None)
    assert row["note"] == "no interval: one observation shows no spread"


def test_parquet_says_what_json_says(made: Tables, tmp_path: Path) -> None:
    paths = write_parquet(made, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{name}.parquet" for name in made]
    for path in paths:
        assert pq.read_table(path).to_pylist() == json.loads(json.dumps(made[path.stem]))
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_parquet(made, tmp_path / "new" / "folder")] == first
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {path.name for path in paths}


def test_parquet_s_schema_does_not_depend_on_rows(made: Tables, tmp_path: Path) -> None:
    full = write_parquet(made, tmp_path / "full")
    empty = write_parquet({name: [] for name in made}, tmp_path / "empty")
    for one, other in zip(full, empty, strict=True):
        assert pq.read_schema(one) == pq.read_schema(other) == schema(one.stem)
        assert pq.read_table(other).num_rows == 0


def test_parquet_cannot_be_written_over_a_file(made: Tables, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="taken"):
        write_parquet(made, tmp_path / "taken")


def test_tables_are_read_without_torch_scipy_or_arrow(store: Store) -> None:
    code = (
        "import sys; from gifthorse.store import Store; from gifthorse.tables import tables; "
        f"assert tables(Store({str(store.root)!r}))['match']; "
        "print([name for name in ('torch', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_floors_and_ceilings_are_the_controls_among_the_tools() -> None:
    controls = {name for name, row in TOOLS.items() if row.floor}
    assert controls <= FLOORS | CEILINGS
    assert not (FLOORS | CEILINGS) & (set(TOOLS) - controls)


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
