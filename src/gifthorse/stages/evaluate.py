"""The third stage: judges look at evidence, effect or recovery, and Question. No network under test is needed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from gifthorse.judges import JUDGES
from gifthorse.records import Cell, Effect, Evidence, Plan, Recovery, Spec, Verdict, cell, plain, read
from gifthorse.stages.diagnose import sealed, seen
from gifthorse.stages.keys import CODE
from gifthorse.store import Draft, Store
from gifthorse.zoo import ENCODERS

HERE = "gifthorse.stages.evaluate"


@lru_cache(maxsize=2)
def _encoder(name: str) -> Any:
    return ENCODERS.make(name).load()


def verdict_cells(store: Store, plan: Plan, evidence: list[Cell], effects: dict[str, str]) -> list[Cell]:
    """One cell for each piece of evidence and judge of its kind.

    Args:
        store: the run folder.
        plan: with the judges.
        evidence: cells of the last stage.
        effects: key of the effect, or of the recovery, of each piece of evidence that has one.
    """
    found = []
    for made in evidence:
        if not store.has(made.key):
            continue
        left = store.get(made.key).record(Evidence)
        _, _, case = sealed(store, made)
        for judge in plan.judges:
            if JUDGES[judge.name].kind != left.kind:
                continue
            about: dict[str, Any]
            if left.kind == "attribution" and case.probes is not None:
                about = {
                    "squares": seen(case.probes.squares),
                    "alphas": seen(case.probes.alphas),
                    "recovery": effects.get(made.key),
                }
            else:
                about = {
                    "question": plain(case.question) | {"pictures": seen(case.question.pictures)},
                    "encoder": _encoder(plan.suite.encoder).digest,
                    "effect": effects.get(made.key),
                }
            inputs = {"version": CODE["verdict"], "evidence": made.key, "judge": plain(judge), "about": about}
            context = made.context | {"evidence": made.key, "encoder": plan.suite.encoder}
            label = f"{judge.name} on {made.label}"
            found.append(cell("verdict", label, f"{HERE}:judge", inputs, context=context))
    return found


def judge(store: Store, cell: Cell, draft: Draft) -> Verdict:
    """Make a ``verdict`` unit."""
    unit, _, case = sealed(store, cell)
    evidence_unit = store.get(cell.inputs["evidence"])
    evidence = evidence_unit.record(Evidence)
    spec = read(Spec, cell.inputs["judge"])
    made = JUDGES.remake(spec)
    about = cell.inputs["about"]
    if evidence.refusal is not None:
        return _signed(made(evidence), cell)
    if evidence.kind == "attribution" and case.probes is not None:
        shown = slice(0, evidence.explained)
        maps = evidence_unit.array(str(evidence.maps))
        squares, alphas = unit.images(case.probes.squares)[shown], unit.images(case.probes.alphas)[shown]
        recovery = store.get(about["recovery"]).record(Recovery) if about.get("recovery") else None
        return _signed(made(evidence, maps, squares, alphas, recovery), cell)
    effect = store.get(about["effect"]).record(Effect) if about.get("effect") else None
    pictures = evidence_unit.images(evidence.pictures) if evidence.pictures else None
    options = unit.images(case.question.pictures) if case.question.pictures else None
    encoder = _encoder(cell.context["encoder"])
    return _signed(made(evidence, effect, case.question, (pictures, options), encoder), cell)


def _signed(verdict: Verdict, cell: Cell) -> Verdict:
    """The verdict with the evidence's key in the place of its digest."""
    return replace(verdict, evidence=cell.inputs["evidence"])
