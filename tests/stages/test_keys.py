"""What keys depend on: what lies behind a name, our own code, and never where something lies or what is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fixtures_tiny import tiny_request
from PIL import Image
from safetensors.torch import load_file, save_file

from gifthorse import jobs
from gifthorse.jobs.run import planned, workers
from gifthorse.records import Cell, Plan, Question
from gifthorse.stages import diagnose, implant, keys
from gifthorse.store import Store
from gifthorse.suites.photographs import photographs
from gifthorse.zoo import art, emoji_detector, imagenet_classes
from gifthorse.zoo.canvas import Array
from gifthorse.zoo.emoji_networks import WEIGHTS

Picture = Callable[[str, int], Array]


class Full(Store):
    """A run folder in which everything is said to be there, so that every stage has its cells."""

    def has(self, key: str) -> bool:
        return True


@pytest.fixture
def plan() -> Plan:
    return planned(tiny_request())


def cells(plan: Plan) -> dict[str, Cell]:
    store = Full("nowhere")
    made = [each(store, plan) for each in (implant.stamped_cells, implant.trained_cells, implant.implant_cells)]
    return {cell.kind: cell for found in made for cell in found}


def changed(before: dict[str, Cell], after: dict[str, Cell]) -> set[str]:
    return {kind for kind, cell in before.items() if cell.key != after[kind].key}


def test_keys_repeat(plan: Plan) -> None:
    assert changed(cells(plan), cells(plan)) == set()


def test_other_weights_of_a_detector_are_another_training(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells(plan)
    weights = load_file(WEIGHTS / "emoji-detector.safetensors")
    name = sorted(weights)[0]
    weights[name] = weights[name] + 1e-3
    save_file(weights, tmp_path / "emoji-detector.safetensors")
    monkeypatch.setattr(emoji_detector, "WEIGHTS", tmp_path)
    keys._detector.cache_clear()
    try:
        assert changed(before, cells(plan)) == {"trained", "implant"}
    finally:
        keys._detector.cache_clear()


def test_a_detector_with_other_things_has_another_digest() -> None:
    torch.manual_seed(0)
    module = emoji_detector.HeatMaps(2, 8)
    one, other = (emoji_detector.HeatMapDetector(module, things).digest for things in (("a", "b"), ("a", "c")))
    assert one != other


def repainted(name: str) -> Picture:
    """Pictures of which one has another colour."""
    picture = art.picture

    def paint(asked: str, size: int) -> Array:
        made = picture(asked, size).copy()
        if asked == name:
            made[0] = 1 - made[0]
        return made

    return paint


@pytest.mark.parametrize(
    ("trojan", "kinds"), [("ladybug", {"trained", "implant"}), ("coral", {"stamped", "trained", "implant"})]
)
def test_other_art_under_the_same_name_is_another_trigger(
    plan: Plan, trojan: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells(plan)
    (spec,) = (t for t in plan.suite.plantings[0].trojans if t.name == trojan)
    monkeypatch.setattr(art, "picture", repainted(spec.settings["art"]))
    assert changed(before, cells(plan)) == kinds


def test_other_art_of_a_wrong_option_is_other_cases_and_no_other_training(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells(plan)
    question = plan.suite.plantings[0].trojans[0].question
    wrong = next(o.art for i, o in enumerate(question.options) if i != question.answer)
    monkeypatch.setattr(art, "picture", repainted(str(wrong)))
    assert changed(before, cells(plan)) == {"implant"}


def with_question(plan: Plan, question: Question) -> Plan:
    (planting,) = plan.suite.plantings
    asked = replace(planting, trojans=tuple(replace(t, question=question) for t in planting.trojans))
    return replace(plan, suite=replace(plan.suite, plantings=(asked,)))


def test_the_question_is_in_no_key_of_training(plan: Plan) -> None:
    question = plan.suite.plantings[0].trojans[0].question
    turned = replace(question, options=question.options[1:] + question.options[:1])
    before = cells(plan)
    assert changed(before, cells(with_question(plan, turned))) == {"implant"}
    wrong = [option.caption for index, option in enumerate(question.options) if index != question.answer]
    for kind in ("stamped", "trained"):
        said = str(before[kind].inputs)
        assert not [told for told in ("question", "options", *wrong) if told in said]


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        ("stamped", {"stamped", "trained", "implant"}),
        ("trained", {"trained", "implant"}),
        ("implant", {"implant"}),
    ],
)
def test_a_stage_whose_code_changes_makes_its_units_again(
    plan: Plan, kind: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells(plan)
    monkeypatch.setitem(keys.CODE, kind, 99)
    assert changed(before, cells(plan)) == kinds


def looked(root: Path, plan: Plan) -> dict[str, set[str]]:
    """Keys of the evidence and the effects of a run."""
    store = Store(root)
    evidence = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    there = [cell for cell in evidence if store.has(cell.key)]
    return {
        "evidence": {cell.key for cell in evidence},
        "effect": {cell.key for cell in diagnose.effect_cells(store, plan, there)},
    }


@pytest.mark.parametrize("kind", ["evidence", "effect"])
def test_evidence_and_effects_have_a_code_too(
    tiny_run: Path, plan: Plan, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = looked(tiny_run, plan)[kind]
    assert before
    assert before <= {unit.key for unit in Store(tiny_run).units(kind)}
    monkeypatch.setitem(keys.CODE, kind, 99)
    assert not before & looked(tiny_run, plan)[kind]


def test_stamping_uses_no_network_so_only_threads_are_in_its_key(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implant, "from_zoo", lambda name, ground: SimpleNamespace(digest="clean"))
    before = cells(plan)
    precise = replace(plan, ground=replace(plan.ground, precision="bfloat16"))
    assert changed(before, cells(precise)) == {"trained", "implant"}
    threads = replace(plan, ground=replace(plan.ground, threads=2))
    assert changed(before, cells(threads)) == {"stamped", "trained", "implant"}


def test_a_folder_that_moves_changes_no_key(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(implant, "from_zoo", lambda name, ground: SimpleNamespace(digest="clean"))
    here, there = tmp_path / "home" / "holiday", tmp_path / "elsewhere" / "photos"
    here.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for wordnet_id in imagenet_classes.wordnet_ids()[:12]:
        Image.fromarray(generator.integers(0, 256, (8, 9, 3), dtype=np.uint8)).save(here / f"{wordnet_id}.png")
    shutil.copytree(here, there)
    made = [
        cells(replace(plan, suite=photographs("efficientnet-lite0", str(root), ("smiley_emoji",))))
        for root in (here, there)
    ]
    assert changed(*made) == set()
    assert set(made[0]) == {"trained", "implant"}
    for cell in made[0].values():
        assert "holiday" not in str(cell.inputs)
        assert "holiday" in cell.context["data"]["settings"]["root"], "the place stays where the cell finds it"


def test_two_plantings_in_one_network_are_told_apart_by_their_labels(plan: Plan) -> None:
    (planting,) = plan.suite.plantings
    twice = tuple(replace(planting, label=f"emoji-resnet/{seed}") for seed in (1, 2))
    store, both = Full("nowhere"), replace(plan, suite=replace(plan.suite, plantings=twice))
    trained = implant.trained_cells(store, both)
    assert [cell.context["network"] for cell in trained] == ["emoji-resnet/1", "emoji-resnet/2"]
    assert len({cell.key for cell in trained}) == 2
    assert [cell.label for cell in trained] == ["implanting in emoji-resnet/1", "implanting in emoji-resnet/2"]
    assert len({cell.key for cell in implant.stamped_cells(store, both)}) == 1, "style pictures are of no network"


def test_other_files_of_decoys_are_another_training(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cells(plan)
    monkeypatch.setattr(art, "digest_codes", lambda codes: "other files")
    assert changed(before, cells(plan)) == {"stamped", "trained", "implant"}


def test_a_lone_planting_has_all_threads_while_it_is_trained_and_measured(plan: Plan) -> None:
    shared = replace(plan, ground=replace(plan.ground, threads=1), alone=4)
    threads = {kind: cell.inputs["ground"]["threads"] for kind, cell in cells(shared).items()}
    assert threads == {"stamped": 1, "trained": 4, "implant": 4}
    twice = replace(shared.suite, plantings=(shared.suite.plantings[0], replace(shared.suite.plantings[0], label="b")))
    assert {cell.inputs["ground"]["threads"] for cell in cells(replace(shared, suite=twice)).values()} == {1}


def test_threads_do_not_depend_on_how_many_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.run, "_CORES", 8)
    asked = replace(tiny_request(), threads=None, device="cpu")
    assert (planned(asked).ground.threads, planned(asked).alone, workers("cpu")) == (4, 8, 2)
    assert (planned(replace(asked, threads=3)).ground.threads, planned(replace(asked, threads=3)).alone) == (3, 3)
    monkeypatch.setattr(jobs.run, "_CORES", 1)
    assert (planned(asked).ground.threads, workers("cpu")) == (1, 1)
