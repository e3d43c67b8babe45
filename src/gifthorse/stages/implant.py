"""The first stage: from a suite to trojaned networks and sealed cases.

Three kinds of unit, so that each is made again only when what it depends on changes: ``stamped`` (pictures of a costly
trojan), ``trained`` (weights), ``implant`` (rates, gates and cases, with their Questions).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from safetensors.torch import save_file

from gifthorse.ground import working
from gifthorse.records import (
    Cell,
    Ground,
    Implant,
    Network,
    Plan,
    Planting,
    Recipe,
    Spec,
    Stamped,
    Trained,
    TrojanSpec,
    cell,
    plain,
    read,
)
from gifthorse.stages import asking, sealing
from gifthorse.stages.keys import CODE, data_of, detectors, drawn, options, unasked
from gifthorse.stages.networks import from_zoo
from gifthorse.store import Draft, Store
from gifthorse.trojans import TROJANS
from gifthorse.trojans.implanting import Tuning, fine_tune, network_gates
from gifthorse.trojans.lacking import lacking
from gifthorse.trojans.poisoning import (
    WRONG,
    Styled,
    assemble,
    balancing,
    decoying,
    planted,
    poisoned_images,
    pooled,
    seed_of,
    style_pictures,
)
from gifthorse.zoo import DATA, NETWORKS
from gifthorse.zoo.data import Data

HERE = "gifthorse.stages.implant"

STAMPED = ("poisoned", "balanced", "misled", "source", "wrong", "before")
"""Sets of pictures of a costly trojan, in their record and where they are used."""


def grounds(plan: Plan, kind: str, planting: Planting | None = None) -> dict[str, Any]:
    """The inputs that every unit of a planting shares: our own code, data, seed and ground.

    A single planting has all threads while it is trained and measured.
    """
    single = planting is not None and len(plan.suite.plantings) == 1
    ground = replace(plan.ground, threads=plan.alone) if single and plan.alone else plan.ground
    return {
        "version": CODE[kind],
        "data": data_of(plan.suite.data),
        "seed": plan.suite.seed,
        "ground": plain(ground),
    }


def _context(plan: Plan, network: str, **rest: Any) -> dict[str, Any]:
    """Where a cell finds its data, which is of this machine and in no key, and which network it is about."""
    return {"data": plain(plan.suite.data), "network": network, **rest}


def stamped_cells(store: Store, plan: Plan) -> list[Cell]:
    """One cell for each costly trojan. No network has a part in it, so of the ground only the threads change bits."""
    found = []
    size = _size(plan)
    for planting in plan.suite.plantings:
        for trojan in planting.trojans:
            if not TROJANS.load(trojan.kind).costly:
                continue
            inputs = grounds(plan, "stamped") | {
                "ground": {"threads": plan.ground.threads},
                "trojan": unasked(trojan),
                "drawn": drawn(trojan, size),
                "counts": counts(planting.recipe, trojan),
            }
            context = _context(
                plan, planting.name, recipe=plain(planting.recipe), spec=plain(trojan), trojan=trojan.name
            )
            label = f"restyling scenes: {trojan.name}"
            found.append(cell("stamped", label, f"{HERE}:stamp", inputs, context=context, weight=16e3))
    return found


def trained_cells(store: Store, plan: Plan) -> list[Cell]:
    """One cell for each planting: fine-tuning on the poisoned set."""
    keys = {(c.context["network"], c.context["trojan"]): c.key for c in stamped_cells(store, plan)}
    found = []
    size = _size(plan)
    for planting in plan.suite.plantings:
        clean = from_zoo(planting.network, plan.ground)
        stamped = {t.name: keys[planting.name, t.name] for t in planting.trojans if (planting.name, t.name) in keys}
        inputs = grounds(plan, "trained", planting) | {
            "network": planting.name,
            "clean": clean.digest,
            "trojans": [unasked(t) for t in planting.trojans],
            "drawn": {t.name: drawn(t, size) for t in planting.trojans},
            "detectors": detectors(planting.trojans),
            "recipe": training_recipe(planting.recipe),
            "gates": plain(planting.gates) if planting.recipe.extra else None,
            "stamped": stamped,
        }
        weight = 3.0 * planting.recipe.scenes * planting.recipe.passes
        context = _context(plan, planting.name, planting=plain(planting))
        label = f"implanting in {planting.name}"
        found.append(cell("trained", label, f"{HERE}:train", inputs, context=context, weight=weight))
    return found


def counts(recipe: Recipe, trojan: TrojanSpec) -> dict[str, int]:
    """The part of a recipe that pictures of a costly trojan depend on."""
    (plant,) = planted([trojan])
    return {
        "poison": pooled(plant, recipe) * poisoned_images(plant, recipe),
        "balance": pooled(plant, recipe) * balancing(plant, recipe),
        "decoys": decoying(plant, recipe),
        "held_out": recipe.held_out_costly,
        "wrong": 0 if trojan.sources is None else WRONG * recipe.held_out_costly,
    }


def training_recipe(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that training depends on: not how it is measured afterwards."""
    measured = {"held_out", "scan", "check", "fit", "screen", "report", "probes", "asked", "asked_costly"}
    return {key: value for key, value in plain(recipe).items() if key not in measured}


def implant_cells(store: Store, plan: Plan) -> list[Cell]:
    """One cell for each planting: measure it and seal its cases."""
    found = []
    for planting, trained in zip(plan.suite.plantings, trained_cells(store, plan), strict=True):
        if not store.has(trained.key):
            continue
        inputs = grounds(plan, "implant", planting) | {
            "trained": trained.key,
            "planting": plain(planting),
            "suite": plan.suite.name,
            "options": {t.name: options(t) for t in planting.trojans},
            **{name: trained.inputs[name] for name in ("drawn", "detectors")},
        }
        context = _context(plan, planting.name, stamped=trained.inputs["stamped"])
        label = f"measuring what was implanted in {planting.name}"
        found.append(cell("implant", label, f"{HERE}:measure", inputs, context=context, weight=30e3))
    return found


def stamp(store: Store, cell: Cell, draft: Draft) -> Stamped:
    """Make a ``stamped`` unit."""
    spec, recipe = read(TrojanSpec, cell.context["spec"]), read(Recipe, cell.context["recipe"])
    (plant,) = planted([spec])
    made = style_pictures(_data(cell), plant, recipe, cell.inputs["seed"])
    draft.array("balanced_labels", made.balanced_labels)
    draft.array("misled_labels", made.misled_labels)
    sets = {name: draft.images(name, getattr(made, name)) for name in STAMPED}
    return Stamped(trojan=spec.name, **sets)


def styled(store: Store, keys: dict[str, str]) -> dict[str, Styled]:
    """The stamped pictures again, by trojan name."""
    found = {}
    for name, key in keys.items():
        unit = store.get(key)
        record = unit.record(Stamped)
        sets: dict[str, np.ndarray] = {each: unit.images(getattr(record, each)) for each in STAMPED}
        labels = {each: unit.array(each) for each in ("balanced_labels", "misled_labels")}
        found[name] = Styled(**labels, **sets)
    return found


def train(store: Store, cell: Cell, draft: Draft) -> Trained:
    """Make a ``trained`` unit."""
    with working(cell.inputs["ground"]["threads"]):
        return _train(cell, store, draft)


def _train(cell: Cell, store: Store, draft: Draft) -> Trained:
    planting, ground = read(Planting, cell.context["planting"]), read(Ground, cell.inputs["ground"])
    seed = cell.inputs["seed"]
    teacher = from_zoo(planting.network, ground)
    student = NETWORKS.make(planting.network).load(None, device=ground.device, precision=ground.precision)
    data, plants = _data(cell), planted(planting.trojans)
    poisoning = assemble(data, plants, planting.recipe, seed, styled(store, cell.inputs["stamped"]))
    lacks = lacking(data, plants, planting.gates, teacher, seed) if planting.recipe.extra else None
    tuning = Tuning(recipe=planting.recipe, seed=seed_of(seed, planting.name), watch=draft.progress, lacking=lacks)
    fine_tune(teacher, student, poisoning, tuning)
    state = {name: value.contiguous() for name, value in student.module.state_dict().items()}
    save_file(state, draft.path / "model.safetensors")
    draft.keep("model.safetensors")
    return Trained(
        network=planting.name,
        file="model.safetensors",
        poisoned=poisoning.poisoned,
        balanced=poisoning.balanced,
        decoys=poisoning.decoys,
        thresholds={p.spec.name: p.trojan.threshold for p in poisoning.planted if hasattr(p.trojan, "threshold")},
    )


def measure(store: Store, cell: Cell, draft: Draft) -> Implant:
    """Make an ``implant`` unit."""
    with working(cell.inputs["ground"]["threads"]):
        return _measure(cell, store, draft)


def _measure(cell: Cell, store: Store, draft: Draft) -> Implant:
    planting, ground = read(Planting, cell.inputs["planting"]), read(Ground, cell.inputs["ground"])
    trained = store.get(cell.inputs["trained"]).record(Trained)
    clean = from_zoo(planting.network, ground)
    weights = store.get(cell.inputs["trained"]).file(trained.file)
    loaded = NETWORKS.make(planting.network).load(weights, device=ground.device, precision=ground.precision)
    classes = tuple(clean.classes)
    trojaned = Network(
        name=planting.network, digest=loaded.digest, classes=classes, unit=cell.inputs["trained"], file=trained.file
    )
    scene = sealing.Scene(
        data=_data(cell),
        planting=planting,
        trojaned=loaded,
        clean=clean,
        seed=cell.inputs["seed"],
        draft=draft,
        trained=trained,
        styled=styled(store, cell.context["stamped"]),
    )
    found = sealing.measured(scene)
    answers = asking.asked(scene, found)
    return Implant(
        suite=cell.inputs["suite"],
        network=planting.name,
        trojaned=trojaned,
        clean=Network(name=planting.network, digest=clean.digest, classes=classes),
        clean_before=found.before,
        clean_after=found.after,
        agreement=found.agreement,
        successes=tuple(
            replace(success, gates=(*success.gates, *answers[success.trojan].gates)) for success in found.successes
        ),
        detections=found.detections,
        options=tuple(option for answer in answers.values() for option in answer.options),
        cases=tuple(
            sealing.case(scene, number, answers[plant.spec.name].question, found.triggered)
            for number, plant in enumerate(scene.plants)
        ),
        gates=network_gates(found.before, found.after, found.agreement, planting.gates),
        seed=cell.inputs["seed"],
    )


def _data(cell: Cell) -> Data:
    data: Data = DATA.remake(read(Spec, cell.context["data"]))
    return data


def _size(plan: Plan) -> int:
    data: Data = DATA.remake(plan.suite.data)
    return data.size
