"""How the house tries findings out, and tools that have nothing to look at."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures_tiny import tiny_request

from gifthorse import effects
from gifthorse.effects import Tried
from gifthorse.jobs.run import planned
from gifthorse.records import Case, Cell, Cost, Evidence, Implant, Plan, Protocol, Verdict
from gifthorse.runner import InProcess
from gifthorse.stages import diagnose, evaluate
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store
from gifthorse.suites.planting import PROTOCOLS


def tried(hits: int, n: int = 5) -> Tried:
    return Tried(finding=0, hits=hits, n=n, confidence=hits / n, alone="goose", alone_confidence=0.5)


@pytest.mark.parametrize("hits", [[0, 0, 0, 0, 5], [5, 5, 5, 5, 0], [0, 5], [1, 2, 2]])
def test_a_pooled_rate_is_a_rate(hits: list[int]) -> None:
    rate = diagnose.pooled_of("trojaned", [tried(each) for each in hits], 1).rate
    assert rate.value == pytest.approx(sum(hits) / 5 / len(hits))
    assert 0.0 <= rate.low <= rate.value <= rate.high <= 1.0
    assert rate.n == len(hits)


def test_one_finding_shows_no_spread() -> None:
    assert math.isnan(diagnose.pooled_of("clean", [tried(3)], 1).rate.low)


def effect_cells(store: Store, plan: Plan) -> list[Cell]:
    evidence = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    return diagnose.effect_cells(store, plan, evidence)


def test_tools_are_tried_at_the_same_places_of_a_case(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And on both networks; another case, or another seed of the suite, has places of its own."""
    store, plan = Store(tiny_run), planned(tiny_request())
    states: list[bytes] = []

    def note(*given: Any) -> list[Tried]:
        states.append(given[-1].get_state().numpy().tobytes())
        return []

    monkeypatch.setattr(effects, "try_out", note)
    seen: dict[tuple[str, str], bytes] = {}
    for made in effect_cells(store, plan):
        states.clear()
        with store.draft(made) as draft:
            diagnose.try_out(store, made, draft)
        assert len(states) == 2
        assert states[0] == states[1]
        seen[made.context["tool"], made.context["trojan"]] = states[0]
    trojans, tools = ({name[i] for name in seen} for i in (1, 0))
    assert len(seen) == 9
    for trojan in trojans:
        assert len({seen[tool, trojan] for tool in tools}) == 1
    assert len(set(seen.values())) == len(trojans)
    inputs = effect_cells(store, plan)[0].inputs
    assert inputs["seed"] == plan.suite.seed
    assert diagnose.places_seed(inputs) != diagnose.places_seed(inputs | {"seed": plan.suite.seed + 1})


def test_a_trojan_that_fires_on_nothing_leaves_refusals(tiny_run: Path, tmp_path: Path) -> None:
    """Not failures of every attribution tool: there is nothing to explain, and the reason is shown."""
    plan = planned(tiny_request(("saliency", "edges_sobel", "blank")))
    store = Store(tmp_path / "run")
    shutil.copytree(tiny_run, store.root)
    (unit,) = store.units("implant")
    implant = unit.record(Implant)
    work = Cell(key=unit.key, kind="implant", label="", function="", inputs=unit.inputs)
    with store.draft(work) as draft:
        cases = tuple(silenced(case, draft) for case in implant.cases)
        for name in unit.files:
            draft.write(name, unit.read(name))
        shutil.rmtree(unit.path)
        store.commit(draft, work, replace(implant, cases=cases), Cost(seconds=0.0))
    cells = diagnose.evidence_cells(store, plan, [unit.key])
    assert len(cells) == 3
    outcome = fulfil(store, cells, runner=InProcess(), watch=lambda progress: None)
    assert outcome.failed == ()
    for cell in cells:
        refusal = store.get(cell.key).record(Evidence).refusal
        assert refusal is not None
        assert re.search(r"fired on none of \d+ triggered images", refusal)
    verdicts = evaluate.verdict_cells(store, plan, cells, {})
    assert fulfil(store, verdicts, runner=InProcess(), watch=lambda progress: None).failed == ()
    for cell in verdicts:
        assert "fired on none" in str(store.get(cell.key).record(Verdict).not_scored)


def silenced(case: Case, draft: Draft) -> Case:
    """The case with probes of which none fired."""
    if case.probes is None:
        return case
    sets: dict[str, Any] = {
        name: draft.images(f"none-{name}", torch.zeros(0, channels, 64, 64, dtype=torch.uint8).numpy())
        for name, channels in (("images", 3), ("squares", 1), ("alphas", 1))
    }
    return replace(case, probes=replace(case.probes, **sets, fired=0))


def tabor_cells(store: Store, tool: str, protocol: str) -> dict[str, tuple[Any, Any]]:
    """Trojan to the extent of its mask and the hint, in a cell of a protocol."""
    plan = planned(replace(tiny_request((tool,)), protocol=protocol_of(protocol)))
    cells = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    return {
        cell.context["trojan"]: (cell.inputs["tool"]["settings"]["extent"], cell.inputs.get("hint")) for cell in cells
    }


def protocol_of(name: str) -> Protocol:
    return replace(next(p for p in PROTOCOLS if p.name == name), passes=60, n=2, keep=2)


def test_only_the_thesis_protocol_tells_tabor_where_to_look(tiny_run: Path) -> None:
    store = Store(tiny_run)
    assert set(tabor_cells(store, "tabor", "quick").values()) == {("both", None)}
    told = "told by the protocol: extent is"
    assert tabor_cells(store, "tabor", "thesis") == {
        "ladybug": ("local", f"{told} local"),
        "coral": ("full", f"{told} full"),
        "skateboard": ("local", f"{told} local"),
    }
    assert set(tabor_cells(store, "tabor@extent=both", "thesis").values()) == {("both", None)}, "a user's word stands"


def test_evidence_keeps_the_film_and_says_what_it_was_told(tiny_run: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    shutil.copytree(tiny_run, store.root)
    plan = planned(replace(tiny_request(("tabor",)), protocol=replace(protocol_of("thesis"), passes=120)))
    cells = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    assert fulfil(store, cells, runner=InProcess(), watch=lambda progress: None).failed == ()
    for cell in cells:
        unit = store.get(cell.key)
        made = unit.record(Evidence)
        assert made.hints[0].startswith("told by the protocol: extent is")
        assert made.film is not None
        assert made.pictures is not None
        frames = unit.images(made.film)
        assert len(frames) == len(made.filmed) > 1
        assert frames.shape[1:] == (4, 64, 64)
        best = unit.images(made.pictures)[made.kept[0]]
        assert any((frame == best).all() for frame in frames), "the picture that was kept is one of its frames"
