"""The second stage: tools look at sealed cases through their Briefs, and the house tries out what they found.

``evidence`` is keyed by what the tool saw and nothing else; ``effect`` by the evidence, both networks and the images
kept for it. The Question is in neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gifthorse import effects
from gifthorse import images as im
from gifthorse.errors import Refusal
from gifthorse.records import (
    Brief,
    Case,
    Cell,
    Effect,
    Evidence,
    Ground,
    Images,
    Implant,
    Plan,
    Protocol,
    Spec,
    Trial,
    cell,
    digest,
    plain,
    read,
)
from gifthorse.registry import own_settings
from gifthorse.stages.assets import assets_given, assets_seen, pool_known
from gifthorse.stages.keys import CODE
from gifthorse.stages.networks import classifier
from gifthorse.stages.precision import decide
from gifthorse.statistics import bootstrap_mean
from gifthorse.store import Draft, Store, Unit
from gifthorse.tools import TOOLS
from gifthorse.tools.attribution.base import Attribution, Maps
from gifthorse.tools.base import Tool
from gifthorse.tools.synthesis.base import Clean

HERE = "gifthorse.stages.diagnose"

AROUND, PERTURBED = 100.0, 200.0
"""For forecasts, in passes: what any cell takes besides its tool's work, and a perturbation method for one image."""


def implants(store: Store, plan: Plan, keys: list[str]) -> Iterator[tuple[Unit, Implant]]:
    """The implants of a run."""
    for key in keys:
        if store.has(key):
            unit = store.get(key)
            yield unit, unit.record(Implant)


def seen(images: Images | None) -> str | None:
    """What a key keeps of a set of images: its bytes, not its name."""
    return images.sha256 if images else None


def brief_seen(brief: Brief) -> dict[str, Any]:
    """What a key keeps of a Brief."""
    return {
        "target": brief.target,
        "sources": plain(brief.sources),
        "fit": seen(brief.fit),
        "screen": seen(brief.screen),
    }


def settings_for(tool: Spec, protocol: Protocol, name: str = "") -> Spec:
    """A tool's spec with the settings that a protocol replaces, but for those that stand in the tool's own name."""
    return _replaced(tool, protocol.settings.get(tool.name, {}), name)


def _replaced(tool: Spec, settings: dict[str, Any], name: str) -> Spec:
    own = own_settings(name)
    changes = {key: value for key, value in settings.items() if key not in own}
    return TOOLS.spec(tool.name, dict(tool.settings) | changes) if changes else tool


def hinted(tool: Spec, protocol: Protocol, kind: str, name: str) -> tuple[Spec, str]:
    """A tool's spec as a protocol tells it what kind of trigger it is to look for, and that in words.

    Args:
        kind: of the trojan.
        name: of the tool, as it was asked for.
    """
    own = own_settings(name)
    told = {key: value for key, value in protocol.hints.get(kind, {}).get(tool.name, {}).items() if key not in own}
    words = ", ".join(f"{key} is {value}" for key, value in told.items())
    return _replaced(tool, told, name), f"told by the protocol: {words}" if told else ""


def evidence_cells(store: Store, plan: Plan, implanted: list[str]) -> list[Cell]:
    """One cell for each network, tool and case that the tool can look at.

    An attribution tool looks at triggered images, so it has cells where a case has probes. A tool that is asked for
    twice with the same settings has one cell, under the first of its names.
    """
    found: dict[str, Cell] = {}
    for unit, implant in implants(store, plan, implanted):
        for name, spec in plan.named():
            spec = settings_for(spec, plan.protocol, name)
            for case in implant.cases:
                made = _evidence_cell(plan, unit, implant, (name, spec, case))
                if made is not None:
                    found.setdefault(made.key, made)
    return list(found.values())


def _evidence_cell(plan: Plan, unit: Unit, implant: Implant, what: tuple[str, Spec, Case]) -> Cell | None:
    name, spec, case = what
    kind = TOOLS[spec.name].kind
    protocol = plan.protocol
    spec, hint = hinted(spec, protocol, case.trojan.kind, name)
    loaded: Any = TOOLS.load(spec.name)
    looked: dict[str, Any]
    if kind == "attribution":
        if case.probes is None:
            return None
        count = min(case.probes.images.count, protocol.images or case.probes.images.count)
        looked = {"probes": seen(case.probes.images), "count": count, "references": seen(case.brief.fit)}
        looked["target"] = case.probes.target
        weight = PERTURBED * count if "gradients" not in loaded.needs else loaded.passes * count
    else:
        looked = {"brief": brief_seen(case.brief), "n": protocol.n, "keep": protocol.keep, "passes": protocol.passes}
        weight = float(protocol.passes)
    inputs = {
        "version": CODE["evidence"],
        "tool": plain(spec),
        "classifier": implant.trojaned.digest,
        "grants": sorted(plan.suite.grants),
        "ground": plain(plan.ground),
        "looked": looked,
        "assets": assets_seen(plan.suite, loaded.prepares, case),
        "seed": plan.suite.seed,
    }
    if hint:
        inputs["hint"] = hint
    context = {"implant": unit.key, "network": implant.network, "trojan": case.trojan.name, "tool": name}
    if "pool" in inputs["assets"]:
        context["pool"] = plain(pool_known(plan.suite))
    label, floor = f"{name} on {case.trojan.name}", TOOLS[spec.name].floor
    return cell("evidence", label, f"{HERE}:look", inputs, context=context, weight=AROUND + (0.0 if floor else weight))


def sealed(store: Store, cell: Cell) -> tuple[Unit, Implant, Case]:
    """The case that a cell is about, with the unit that holds its images."""
    unit = store.get(cell.context["implant"])
    implant = unit.record(Implant)
    return unit, implant, next(c for c in implant.cases if c.trojan.name == cell.context["trojan"])


def look(store: Store, cell: Cell, draft: Draft) -> Evidence:
    """Make an ``evidence`` unit; a tool that cannot do the case leaves its refusal as the result."""
    tool: Tool = TOOLS.remake(read(Spec, cell.inputs["tool"]))
    made = Evidence(
        tool=read(Spec, cell.inputs["tool"]),
        kind=TOOLS[cell.inputs["tool"]["name"]].kind,
        network=cell.context["network"],
        trojan=cell.context["trojan"],
        seed=int(digest([cell.inputs["seed"], cell.key])[:12], 16),
    )
    missing = sorted(set(tool.needs) - set(cell.inputs["grants"]))
    if missing:
        return replace(made, refusal=f"{made.tool.name} needs {', '.join(missing)}, which the suite does not grant")
    try:
        if isinstance(tool, Attribution):
            return _explain(tool, made, (store, cell, draft))
        return _synthesise(tool, made, (store, cell, draft))
    except Refusal as refusal:
        return replace(made, refusal=str(refusal))


def _explain(tool: Attribution, made: Evidence, at: tuple[Store, Cell, Draft]) -> Evidence:
    store, cell, draft = at
    unit, implant, case = sealed(store, cell)
    if case.probes is None:
        raise Refusal(f"{case.trojan.name} has no place in the image", "choose a located trojan")
    if not case.probes.images.count:
        raise Refusal(
            f"the trojan fired on none of {case.probes.tried} triggered images, so there is nothing to explain",
            "implant it better; the report says how well it was implanted",
        )
    network = classifier(store, implant.trojaned, read(Ground, cell.inputs["ground"]))
    count = cell.inputs["looked"]["count"]
    images = im.from_uint8(unit.images(case.probes.images)[:count])
    references = im.from_uint8(unit.images(case.brief.fit))
    targets = torch.full((count,), case.probes.target)
    expected = max(cell.weight - AROUND, 1.0)

    def explain(n: int) -> Maps:
        return tool(network, images[:n], targets[:n], references=references, seed=made.seed)

    squares = unit.images(case.probes.squares)[:count, 0] > 127
    with network.counting(lambda passes: draft.progress(passes / expected)) as passed:
        precision = decide(tool, network, explain, count, squares)
        with network.perturbing_in(precision.used):
            maps = explain(count)
    draft.count(forward=passed.forward, backward=passed.backward)
    draft.array("maps.npy", maps.values.cpu().numpy())
    return replace(made, maps="maps.npy", explained=count, hints=maps.hints, precision=precision)


def _synthesise(tool: Any, made: Evidence, at: tuple[Store, Cell, Draft]) -> Evidence:
    store, cell, draft = at
    unit, implant, case = sealed(store, cell)
    network = classifier(store, implant.trojaned, read(Ground, cell.inputs["ground"]))
    clean = Clean(fit=im.from_uint8(unit.images(case.brief.fit)), screen=im.from_uint8(unit.images(case.brief.screen)))
    looked = cell.inputs["looked"]
    assets = assets_given(store, cell, tool.prepares, (unit, case, network))
    with network.counting(lambda passes: draft.progress(passes / looked["passes"])) as passed:
        found = tool(
            network,
            case.brief,
            clean,
            n=looked["n"],
            budget=looked["passes"],
            keep=looked["keep"],
            seed=made.seed,
            assets=assets,
        )
    draft.count(forward=passed.forward, backward=passed.backward)
    made = replace(
        made,
        findings=found.findings,
        kept=found.kept,
        pictures=draft.images("pictures", im.to_uint8(found.pictures)),
        hints=found.hints if "hint" not in cell.inputs else (cell.inputs["hint"], *found.hints),
    )
    if found.film is None:
        return made
    return replace(made, film=draft.images("film", found.film.frames.numpy()), filmed=found.film.after)


def effect_cells(store: Store, plan: Plan, evidence: list[Cell]) -> list[Cell]:
    """One cell for each piece of synthesis evidence that is there."""
    found = []
    for made in evidence:
        if not store.has(made.key):
            continue
        left = store.get(made.key).record(Evidence)
        if left.kind != "synthesis" or left.refusal is not None:
            continue
        _, implant, case = sealed(store, made)
        inputs = {
            "version": CODE["effect"],
            "seed": plan.suite.seed,
            "evidence": made.key,
            "trojaned": implant.trojaned.digest,
            "clean": implant.clean.digest,
            "report": seen(case.report),
            "target": case.brief.target,
            "ground": plain(plan.ground),
        }
        context = made.context | {"evidence": made.key}
        label = f"trying out {made.label}"
        inserted = [left.findings[index].insertion.kind for index in left.kept]
        weight = AROUND + 2.0 * sum(1 if kind == "frame" else case.report.count for kind in inserted)
        found.append(cell("effect", label, f"{HERE}:try_out", inputs, context=context, weight=weight))
    return found


def places_seed(inputs: dict[str, Any]) -> int:
    """The seed of the places at which findings are tried: the same for every tool that looks at a case.

    Args:
        inputs: of an effect's cell.
    """
    return int(digest([inputs["report"], inputs["target"], inputs["seed"]])[:12], 16)


def try_out(store: Store, cell: Cell, draft: Draft) -> Effect:
    """Make an ``effect`` unit: the kept findings in held-out images, on the trojaned and on the clean network."""
    unit, implant, case = sealed(store, cell)
    evidence_unit = store.get(cell.inputs["evidence"])
    evidence = evidence_unit.record(Evidence)
    images, ground = unit.images(case.report), read(Ground, cell.inputs["ground"])
    seed = places_seed(cell.inputs)
    pictures = evidence_unit.images(evidence.pictures) if evidence.pictures else np.zeros((0, 4, 1, 1), np.uint8)
    kept = {index: evidence.findings[index] for index in evidence.kept}
    trials: list[Trial] = []
    pooled: list[Trial] = []
    for on, network in (("trojaned", implant.trojaned), ("clean", implant.clean)):
        loaded = classifier(store, network, ground)
        generator = torch.Generator().manual_seed(seed)
        with loaded.counting() as passed:
            tried = effects.try_out(loaded, images, case.brief.target, pictures, kept, generator)
        draft.count(forward=passed.forward, backward=passed.backward)
        trials.extend(each.trial(on) for each in tried)
        if tried:
            pooled.append(pooled_of(on, tried, seed))
    return Effect(
        evidence=cell.inputs["evidence"],
        network=evidence.network,
        tool=evidence.tool.name,
        trojan=evidence.trojan,
        target=case.brief.target,
        trials=tuple(trials),
        pooled=tuple(pooled),
    )


def pooled_of(on: str, tried: list[effects.Tried], seed: int) -> Trial:
    """All kept findings as one: their mean rate, with an interval over findings, since they share their images.

    ``alone`` is the class that most of them are when seen by themselves.

    Args:
        on: ``trojaned`` or ``clean``.
        tried: one or more findings.
        seed: of the bootstrap.
    """
    alone = Counter(each.alone for each in tried).most_common(1)[0][0]
    share = [each.alone_confidence for each in tried if each.alone == alone]
    return Trial(
        on=on,
        finding=-1,
        rate=bootstrap_mean([each.hits / each.n for each in tried], seed, within=(0.0, 1.0)),
        confidence=sum(each.confidence for each in tried) / len(tried),
        alone=alone,
        alone_confidence=sum(share) / len(share),
    )
