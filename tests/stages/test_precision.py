"""bfloat16 where maps and score stay as they are: the decision, and what a run stores of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_nets import classifier, one_thread, pictures
from fixtures_tiny import tiny_request
from torch import Tensor

from gifthorse import ground
from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.jobs.run import planned
from gifthorse.records import Evidence, Plan, Precision
from gifthorse.runner import InProcess
from gifthorse.stages import diagnose, evaluate, networks, precision
from gifthorse.stages.precision import LEAST, MOST, TRIED, Floats, decide, judged
from gifthorse.stages.work import fulfil
from gifthorse.store import Store, Unit
from gifthorse.tables import tidy_tables
from gifthorse.tools import tool
from gifthorse.tools.attribution.base import Attribution, Maps

__all__ = ["one_thread"]

EACH = {"occlusion": {"window": 8, "stride": 4}, "lime": {"cells": 3, "samples": 40}, "saliency": {}, "edges_sobel": {}}


@pytest.fixture(autouse=True)
def emulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that says that it multiplies bfloat16; torch does, slowly, on every CPU."""
    monkeypatch.setattr(ground, "bfloat16_is_fast", lambda device: True)
    networks._load.cache_clear()
    yield
    networks._load.cache_clear()


def decided(name: str, network: Classifier, count: int = 6) -> tuple[Precision, list[tuple[int, str]]]:
    """The decision, and for every call of the method how many images it explained in which precision."""
    method: Attribution = tool(name, **EACH[name])
    images, calls = pictures(count), list[tuple[int, str]]()

    def explain(n: int) -> Maps:
        calls.append((n, network._perturbed))
        return method(network, images[:n], 1, seed=3)

    return decide(method, network, explain, count), calls


@pytest.mark.parametrize("name", ["occlusion", "lime"])
def test_a_method_that_perturbs_is_tried_in_both_on_a_few_images(name: str) -> None:
    found, calls = decided(name, classifier("reused", "bfloat16"))
    assert calls == [(TRIED, "float32"), (TRIED, "bfloat16")]
    assert found.tried == TRIED
    assert found.correlation is not None
    assert found.used == ("bfloat16" if found.correlation >= LEAST else "float32")
    assert found.moved is None
    assert decided(name, classifier("reused", "bfloat16"))[0] == found


@pytest.mark.parametrize("name", ["saliency", "edges_sobel"])
def test_no_other_method_is_tried(name: str) -> None:
    found, calls = decided(name, classifier("reused", "bfloat16"))
    assert (found.used, found.tried, calls) == ("float32", 0, [])


def test_nothing_is_tried_where_the_network_runs_in_float32() -> None:
    found, calls = decided("occlusion", classifier("reused"))
    assert (found.used, found.tried, calls) == ("float32", 0, [])


def test_maps_in_bfloat16_are_other_maps_only_while_it_is_asked_for() -> None:
    network, images = classifier("reused", "bfloat16"), pictures(2)
    method = tool("occlusion", **EACH["occlusion"])
    single = method(network, images, 1).values
    with network.perturbing_in("bfloat16"):
        half = method(network, images, 1).values
        slopes = tool("saliency")(network, images, 1).values
    assert not torch.equal(half, single)
    torch.testing.assert_close(half, single, atol=0.1, rtol=0.1)
    torch.testing.assert_close(slopes, tool("saliency")(network, images, 1).values, atol=0, rtol=0)
    torch.testing.assert_close(method(network, images, 1).values, single, atol=0, rtol=0)


def test_a_method_that_fails_in_bfloat16_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    through = Classifier.through

    def overflowing(self: Classifier, module: Any, images: Tensor) -> Tensor:
        logits = through(self, module, images)
        return logits + torch.inf if self.precision == "bfloat16" else logits

    monkeypatch.setattr(Classifier, "through", overflowing)
    found, _ = decided("occlusion", classifier("reused", "bfloat16"))
    assert found.used == "float32"
    assert "in bfloat16, the logits" in found.reason


def test_a_method_that_fails_in_float32_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    network = classifier("reused", "bfloat16")
    monkeypatch.setattr(Classifier, "through", lambda self, module, images: torch.full((len(images), 4), torch.nan))
    with pytest.raises(Refusal, match="not finite"):
        decided("occlusion", network)


# -- the rule, from maps ----------------------------------------------------------------------------------------------

SIZE = 20
SQUARES = np.zeros((4, SIZE, SIZE), dtype=bool)
SQUARES[:, 4:9, 4:9] = True


def maps(seed: int = 0) -> Floats:
    return np.asarray(np.random.default_rng(seed).normal(size=(4, SIZE, SIZE)) + 2 * SQUARES)


def mixed(share: float) -> Floats:
    """Maps that correlate with :func:`maps` less, the larger the share."""
    return np.asarray(maps() + share * maps(1) * ~SQUARES)


def test_the_decision_is_by_both_limits_and_states_both_figures() -> None:
    for share in (0.0, 0.02, 0.1, 0.3, 1.0):
        found = judged(maps(), mixed(share), SQUARES)
        one, other, square = (x.reshape(4, -1) for x in (maps(), mixed(share), SQUARES))
        wanted = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)])
        scores = [[np.corrcoef(a, s)[0, 1] for a, s in zip(rows, square, strict=True)] for rows in (one, other)]
        moved = np.abs(np.subtract(scores[0], scores[1])).mean()
        assert found.correlation == pytest.approx(wanted)
        assert found.moved == pytest.approx(moved)
        assert found.used == ("bfloat16" if wanted >= 0.99 and moved <= 0.01 else "float32")
    assert judged(maps(), mixed(0.02), SQUARES).used == "bfloat16"
    assert judged(maps(), mixed(1.0), SQUARES).used == "float32"


def test_a_score_that_moves_is_enough_to_refuse() -> None:
    """A correlation of 0.99 leaves room for it: here nothing but the square's height changes."""
    half = maps() + 0.15 * SQUARES
    found = judged(maps(), half, SQUARES)
    assert found.correlation is not None
    assert found.correlation >= LEAST
    assert found.moved is not None
    assert found.moved > MOST
    assert (found.used, judged(maps(), half, None).used) == ("float32", "bfloat16")
    assert "score moves" in found.reason
    assert "correlate" not in found.reason


def test_maps_that_differ_are_enough_to_refuse() -> None:
    """Where there is no square, or a score that happens not to move."""
    found = judged(maps(), mixed(0.3), None)
    assert found.correlation is not None
    assert 0.9 < found.correlation < 0.99
    assert (found.used, found.moved) == ("float32", None)
    assert "correlate by 0.9" in found.reason
    assert "score" not in found.reason


def test_moves_in_both_directions_do_not_cancel() -> None:
    sign = np.array([1, -1, 1, -1])[:, None, None]
    found = judged(maps(), maps() + 0.15 * sign * SQUARES, SQUARES)
    assert found.moved is not None
    assert found.moved > MOST


def test_constant_maps_say_nothing_and_do_not_correlate_with_others() -> None:
    flat = np.zeros((4, SIZE, SIZE))
    assert judged(flat, flat, SQUARES) == Precision(
        used="float32", reason="there is no map to compare: all are constant", tried=4
    )
    assert judged(maps(), flat, SQUARES).correlation == 0.0
    one = np.concatenate([flat[:1], maps()[1:]])
    assert judged(one, one, SQUARES).correlation == pytest.approx(1.0)


# -- in a run ---------------------------------------------------------------------------------------------------------


def explained(root: Path, plan: Plan) -> tuple[Store, dict[str, tuple[Unit, Evidence]]]:
    """Evidence and verdicts of a run whose networks are there, by the tool's name."""
    store = Store(root)
    implanted = [unit.key for unit in store.units("implant")]
    cells = diagnose.evidence_cells(store, plan, implanted)
    assert fulfil(store, cells, runner=InProcess(), watch=lambda progress: None).failed == ()
    verdicts = evaluate.verdict_cells(store, plan, cells, {})
    assert fulfil(store, verdicts, runner=InProcess(), watch=lambda progress: None).failed == ()
    kinds = {"implant": implanted, "evidence": [c.key for c in cells], "verdict": [c.key for c in verdicts]}
    store.write_plan((store.read_plan() or {}) | {"keys": kinds, "labels": {}})
    units = {cell.context["tool"]: store.get(cell.key) for cell in cells}
    return store, {name: (unit, unit.record(Evidence)) for name, unit in units.items()}


@pytest.mark.parametrize(("used", "limits"), [("bfloat16", (0.0, 1.0)), ("float32", (1.1, 0.0))])
def test_a_run_stores_the_decision_with_the_maps_that_it_led_to(
    used: str, limits: tuple[float, float], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in zip(("LEAST", "MOST"), limits, strict=True):
        monkeypatch.setattr(precision, name, limit)
    stores, found = {}, {}
    for asked in ("float32", "bfloat16"):
        shutil.copytree(tiny_run, tmp_path / asked)
        plan = planned(replace(tiny_request(("occlusion", "saliency")), precision=asked))
        stores[asked], found[asked] = explained(tmp_path / asked, plan)
    single, half = (found[asked]["occlusion"][1].precision for asked in ("float32", "bfloat16"))
    assert single == Precision(used="float32", reason="the network runs in float32")
    assert half is not None
    assert (half.used, half.tried) == (used, 4)
    assert half.correlation is not None
    assert half.moved is not None
    slopes = found["bfloat16"]["saliency"][1].precision
    assert slopes == Precision(used="float32", reason="only methods that perturb images are tried in bfloat16")
    keys = {asked: {unit.key for unit, _ in units.values()} for asked, units in found.items()}
    assert not keys["float32"] & keys["bfloat16"], "what was asked for is in the key"
    for name in ("occlusion", "saliency"):
        one, other = (found[asked][name][0].array("maps") for asked in ("float32", "bfloat16"))
        assert np.array_equal(one, other) is (name == "saliency" or used == "float32")
    rows = [row for row in tidy_tables(stores["bfloat16"])["footprint"] if row["tool"] == "occlusion"]
    assert rows
    for row in rows:
        assert row["precision"] == used
        assert row["precision_correlation"] == half.correlation
        assert row["precision_moved"] == half.moved
        assert row["precision_reason"] == half.reason
