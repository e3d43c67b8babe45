"""The tidy tables: the design's columns, every number from a record, nothing that JSON or Parquet cannot hold."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import fixtures_run
import numpy as np
import pyarrow.parquet as pq
import pytest
from fixtures_run import ATTRIBUTION, FAILED, REFUSAL, make_run
from fixtures_suite import SIZE, TILE, suite
from scipy import stats

from gifthorse.comparisons import holm
from gifthorse.errors import InputError
from gifthorse.records import Cost, Effect, Evidence, Implant, Interval, Measure, Spec, Verdict, cell
from gifthorse.store import Store
from gifthorse.tables import TABLES, tidy_tables
from gifthorse.tables.columns import COLUMNS, COUNT, NUMBER, NUMBERS, TEXT, TEXTS, TRUTH
from gifthorse.tables.found import CEILINGS, FLOORS, MEASURES
from gifthorse.tables.parquet import schema, write_parquet
from gifthorse.tools import TOOLS

Tables = dict[str, list[dict[str, Any]]]

DESIGN = {
    "network": "network, clean_before, clean_after, n",
    "implant": "network, trojan, kind, scope, success, success_low, success_high, n, wrong_source, clean_control",
    "footprint": "network, tool, trojan, measure, value, low, high, n",
    "match": "network, tool, trojan, judge, value, low, high, n, chance",
    "effect": "network, tool, trojan, on, rate, low, high, confidence, n",
    "cost": "network, tool, trojan, seconds, forward, backward, peak_bytes, status, error",
    "options": "network, trojan, caption, true, kept, rate, low, high, n",
    "caption": "network, tool, trojan, captioner, caption, p, n",
    "paired": "network, tool, measure, against, advantage, low, high, p, p_holm, median, positive, n",
}
"""As the design has them, "What a program sees"; then ours."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def made(store: Store) -> Tables:
    return tidy_tables(store)


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
    assert tidy_tables(Store(store.root)) == made
    trojans = [row["trojan"] for row in made["match"] if row["tool"] == "truth"]
    assert trojans == ["smiley_emoji", "jaguar", "fork"]
    tools = [row["tool"] for row in made["footprint"]]
    assert tools == sorted(tools)
    assert [row["measure"] for row in made["footprint"]][: len(MEASURES)] == list(MEASURES)


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
            assert row["interval"] == "95% bootstrap", "over findings, which share their images"
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
    assert {row["status"] for row in tidy_tables(store)["cost"]} == {"done", "refused"}


def test_units_of_an_earlier_request_are_left_out(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    plan = store.read_plan()
    assert plan is not None
    before = tidy_tables(store)
    plan["keys"]["verdict"] = [row["key"] for row in before["match"] if row["tool"] != "noise"]
    store.write_plan({name: value for name, value in plan.items() if name != "seal"})
    after = tidy_tables(store)
    assert {row["tool"] for row in after["match"]} == {row["tool"] for row in before["match"]} - {"noise"}
    assert after["footprint"] == []
    assert after["effect"] == before["effect"]


def test_an_unfinished_and_an_empty_run_have_tables(tmp_path: Path) -> None:
    assert tidy_tables(Store(tmp_path / "nothing")) == {name: [] for name in COLUMNS}
    store = make_run(tmp_path / "run")
    (store.root / "plan.json").unlink()
    whole = tidy_tables(store)
    assert len(whole["match"]) == 11
    for unit in list(store.units("implant")):
        (unit.path / "unit.json").unlink()
    orphans = tidy_tables(store)
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
    row = only(tidy_tables(store)["match"])
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


def test_tables_are_read_without_torch_or_arrow(store: Store) -> None:
    code = (
        "import sys; from gifthorse.store import Store; from gifthorse.tables import tidy_tables; "
        f"assert tidy_tables(Store({str(store.root)!r}))['match']; "
        "print([name for name in ('torch', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_floors_and_ceilings_are_the_controls_among_the_tools() -> None:
    assert {name for name, row in TOOLS.items() if row.floor} == FLOORS | CEILINGS
    assert not FLOORS & CEILINGS
    assert {"edges_sobel", "blank", "noise"} <= FLOORS
    assert {"truth"} == CEILINGS


def test_a_floor_of_another_package_is_a_floor_in_the_tables() -> None:
    code = (
        "from gifthorse.tools import TOOLS; from gifthorse.registry import Row; "
        "TOOLS.rows['flat'] = Row('nowhere:Flat', 'attribution', 1, 'a test', floor=True); "
        "from gifthorse.tables.found import FLOORS; assert 'flat' in FLOORS"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_option_of_a_question_has_its_rate(made: Tables) -> None:
    rows = [row for row in made["options"] if row["trojan"] == "fork"]
    assert len(rows) == len(suite().plantings[0].trojans[2].question.options)
    (true,) = [row for row in rows if row["true"]]
    assert (true["caption"], true["rate"], true["n"], true["kept"]) == ("fork", 0.93, 100, True)
    assert true["low"] < true["rate"] < true["high"]
    assert {row["target"] for row in rows} == {true["target"]}


def test_tools_are_compared_with_the_edge_detector_image_by_image(made: Tables) -> None:
    rows = [row for row in made["paired"] if row["measure"] == "pearson"]
    assert [row["tool"] for row in rows] == ["occlusion", "saliency"]  # blank has no correlation, one was refused
    scores = {tool: only(made["footprint"], tool=tool, measure="pearson")["scores"] for tool in (*ATTRIBUTION[:3],)}
    p_values = []
    for row in rows:
        differences = np.array(scores[row["tool"]]) - np.array(scores["edges_sobel"])
        assert row["advantage"] == pytest.approx(differences.mean())
        assert row["median"] == pytest.approx(np.median(differences))
        assert row["positive"] == pytest.approx((differences > 0).mean())
        assert row["p"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
        assert row["low"] <= row["advantage"] <= row["high"]
        assert (row["against"], row["n"], row["tests"], row["trojans"]) == ("edges_sobel", 6, 2, 1)
        p_values.append(row["p"])
    assert [row["p_holm"] for row in rows] == pytest.approx(holm(p_values))
    assert only(rows, tool="occlusion")["consistent"] is True
    distance = only(made["paired"], tool="blank", measure="l1")
    edges = only(made["footprint"], tool="edges_sobel", measure="l1")["value"]
    assert distance["advantage"] == pytest.approx(edges - only(made["footprint"], tool="blank", measure="l1")["value"])
    assert (distance["p"], distance["consistent"], distance["floor"]) == (None, None, True)
    assert "a floor" in distance["note"]


@pytest.mark.parametrize(("window", "oracle"), [(8, False), (TILE, True), (TILE / SIZE, True), (0.125, False)])
def test_a_window_of_the_trigger_s_size_is_an_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: float, oracle: bool
) -> None:
    monkeypatch.setattr(fixtures_run, "WINDOW", window)
    tables = tidy_tables(make_run(tmp_path / "run"))
    for name in ("footprint", "paired"):
        assert {row["tool"] for row in tables[name] if row["oracle"]} == ({"occlusion"} if oracle else set())


def test_captions_say_what_was_found_and_what_was_not(made: Tables) -> None:
    rows = {(row["trojan"], row["captioner"]): row for row in made["caption"]}
    assert list(rows) == [
        ("smiley_emoji", "blip_llm"), ("smiley_emoji", "encoder"), ("jaguar", "encoder"), ("fork", "encoder"),
    ]  # fmt: skip
    named, none, left = (rows[name, "encoder"] for name in ("smiley_emoji", "jaguar", "fork"))
    assert (named["caption"], named["p"], named["common"], named["fits"]) == ("smiley", 0.004, True, 3)
    assert (none["caption"], none["p"], none["common"]) == (None, 0.41, False)
    assert none["themes"] == ["leopard", "yellow heart"], "what came nearest is said, with its p"
    assert none["themes_p"] == [0.41, 0.5]
    assert (left["caption"], left["p"], left["common"]) == (None, None, None)
    assert "no pool" in left["not_captioned"]
    free = rows["smiley_emoji", "blip_llm"]
    assert (free["p"], free["common"], free["encoder"], free["sets"]) == (None, True, None, None)
    assert free["each"] == ["a yellow ball", "a face", "a sun"]
