"""What found sets have in common, said by captioners (part of the third stage). No network under test is needed.

``sample`` holds random pictures of the pool that a tool searched, as an encoder sees them: made once for a pool, an
encoder and a size. ``caption`` is keyed by the evidence, the captioner and what it looks with, so that captioning again
touches nothing else; where a folder or a server lies is in no key. No judge is shown a caption.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gifthorse.captioners import CAPTIONERS
from gifthorse.captioners.base import Captioner, Reference, Sight
from gifthorse.records import Caption, Cell, Evidence, Plan, PoolSample, Spec, cell, plain, read
from gifthorse.stages.keys import CODE
from gifthorse.store import Draft, Store
from gifthorse.tools import TOOLS
from gifthorse.zoo import ENCODERS, POOLS
from gifthorse.zoo.patch_pool import PatchPool

HERE = "gifthorse.stages.captioning"


@functools.lru_cache(maxsize=2)
def encoder_of(name: str, device: str) -> Any:
    """An image-text encoder by name, loaded once."""
    return ENCODERS.make(name).load(device=device)


def found_sets(store: Store, evidence: list[Cell]) -> list[Cell]:
    """The cells of evidence whose findings are natural pictures, refusals left out."""
    found = []
    for made in evidence:
        if store.has(made.key):
            left = store.get(made.key).record(Evidence)
            if left.kind == "synthesis" and left.refusal is None and TOOLS.load(left.tool.name).natural:
                found.append(made)
    return found


def sample_cells(store: Store, plan: Plan, evidence: list[Cell]) -> list[Cell]:
    """One cell for each pool that a set was found in and each captioner that compares with it."""
    sets = found_sets(store, evidence)
    cells = [_sample_cell(plan, made, spec) for spec in plan.captioners for made in sets]
    return list({made.key: made for made in cells if made is not None}.values())


def _sample_cell(plan: Plan, evidence: Cell, spec: Spec) -> Cell | None:
    """The sample that a captioner compares a found set with; None where it needs none or there is no pool."""
    pool = evidence.inputs["assets"].get("pool")
    if pool is None or "reference" not in CAPTIONERS.load(spec.name).needs:
        return None
    inputs = {
        "version": CODE["sample"],
        "pool": pool,
        "encoder": encoder_of(plan.suite.encoder, plan.ground.device).digest,
        "count": spec.settings["sample"],
        "seed": plan.suite.seed,
        "ground": plain(plan.ground),
    }
    context = {"pool": evidence.context["pool"], "encoder": plan.suite.encoder}
    return cell("sample", f"random pictures of {pool['name']}", f"{HERE}:draw", inputs, context=context, weight=4_000.0)


def draw(store: Store, cell: Cell, draft: Draft) -> PoolSample:
    """Make a ``sample`` unit."""
    told = cell.inputs["pool"]
    pool = read(POOLS.load(told["name"]), cell.context["pool"]).pool()
    return keep_sample(draft, cell.inputs, pool, encoder_of(cell.context["encoder"], cell.inputs["ground"]["device"]))


def keep_sample(draft: Draft, told: Mapping[str, Any], pool: PatchPool, encoder: Any) -> PoolSample:
    """Random pictures of a pool into a unit.

    Args:
        told: the cell's inputs: ``pool``, ``encoder``, ``count`` and ``seed``.
        encoder: that captions.
    """
    reference = Reference.of(pool, encoder, told["count"], told["seed"])
    draft.array("embeddings", reference.embeddings)
    draft.array("marks", reference.marks)
    return PoolSample(
        pool=told["pool"]["name"],
        digest=told["pool"]["digest"],
        encoder=told["encoder"],
        count=len(reference.marks),
        total=reference.total,
        embeddings="embeddings.npy",
        marks="marks.npy",
    )


def caption_cells(store: Store, plan: Plan, evidence: list[Cell]) -> list[Cell]:
    """One cell for each found set and captioner whose sample is there.

    Raises:
        InputError: what a captioner needs is not at its place.
    """
    found = []
    for made in found_sets(store, evidence):
        for spec in plan.captioners:
            captioner: Captioner = CAPTIONERS.remake(spec)
            sample = _sample_cell(plan, made, spec)
            if sample is not None and not store.has(sample.key):
                continue  # it failed, and that was said
            about: dict[str, Any] = captioner.seen()
            if "encoder" in captioner.needs:
                about["encoder"] = encoder_of(plan.suite.encoder, plan.ground.device).digest
            if "reference" in captioner.needs:
                about["sample"] = sample.key if sample is not None else None
            inputs = {
                "version": CODE["caption"],
                "evidence": made.key,
                "captioner": plain(captioner.spec()),
                "about": about,
                "ground": plain(plan.ground),
            }
            places = {name: spec.settings[name] for name in captioner.places}
            context = made.context | {"evidence": made.key, "encoder": plan.suite.encoder, "places": places}
            label = f"{spec.name} on what {made.label} found"
            found.append(cell("caption", label, f"{HERE}:name", inputs, context=context))
    return found


def name(store: Store, cell: Cell, draft: Draft) -> Caption:
    """Make a ``caption`` unit."""
    unit = store.get(cell.inputs["evidence"])
    evidence = unit.record(Evidence)
    spec, about = read(Spec, cell.inputs["captioner"]), cell.inputs["about"]
    captioner: Captioner = CAPTIONERS.make(spec.name, spec.settings | cell.context["places"])
    device = cell.inputs["ground"]["device"]
    sight = Sight(
        encoder=encoder_of(cell.context["encoder"], device) if "encoder" in about else None,
        reference=reference_of(store, about["sample"]) if about.get("sample") else None,
        device=device,
    )
    pictures = unit.images(evidence.pictures) if evidence.pictures else None
    return replace(captioner(evidence, pictures, sight), evidence=cell.inputs["evidence"])


def reference_of(store: Store, key: str) -> Reference:
    """What the ``sample`` unit of a key holds."""
    unit = store.get(key)
    sample = unit.record(PoolSample)
    return Reference(embeddings=unit.array(sample.embeddings), marks=unit.array(sample.marks), total=sample.total)
