"""What maps do: triggered images get their original pixels back where a map is highest (part of the second stage).

``recovery`` is to a map what ``effect`` is to a drawing: the house's own trial, made by diagnose, so that judging again
needs no network. Its key is made of the maps, the images, the masks and the network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gifthorse import effects, heat
from gifthorse.records import Case, Cell, Evidence, Ground, Images, Plan, Recovery, cell, digest, plain, read
from gifthorse.stages.diagnose import AROUND, sealed, seen
from gifthorse.stages.keys import CODE
from gifthorse.stages.networks import classifier
from gifthorse.store import Draft, Store

HERE = "gifthorse.stages.recovering"


def recovery_cells(store: Store, plan: Plan, evidence: list[Cell]) -> list[Cell]:
    """One cell for each piece of attribution evidence that has maps of images whose originals are known."""
    found = []
    for made in evidence:
        if not store.has(made.key):
            continue
        left = store.get(made.key).record(Evidence)
        _, implant, case = sealed(store, made)
        if left.maps is None or case.probes is None or case.probes.originals is None:
            continue
        inputs = {
            "version": CODE["recovery"],
            "seed": plan.suite.seed,
            "evidence": made.key,
            "trojaned": implant.trojaned.digest,
            "probes": seen(case.probes.images),
            "originals": seen(case.probes.originals),
            "squares": seen(case.probes.squares),
            "target": case.probes.target,
            "ground": plain(plan.ground),
        }
        context = made.context | {"evidence": made.key}
        weight = AROUND + 4.0 * left.explained
        found.append(
            cell("recovery", f"pasting back {made.label}", f"{HERE}:paste_back", inputs, context=context, weight=weight)
        )
    return found


def paste_back(store: Store, cell: Cell, draft: Draft) -> Recovery:
    """Make a ``recovery`` unit."""
    unit, implant, case = sealed(store, cell)
    made = store.get(cell.inputs["evidence"])
    evidence = made.record(Evidence)
    network = classifier(store, implant.trojaned, read(Ground, cell.inputs["ground"]))
    maps = made.array(str(evidence.maps))
    images, originals, squares = (unit.images(part)[: len(maps)] for part in _parts(case))
    areas = (squares[:, 0] > 127).sum(axis=(1, 2))
    # Of the case alone, so that all tools are held against the same draw of chance.
    drawn = _regions(np.zeros_like(maps), areas, _seed(cell, "probes"))
    with network.counting() as passed:
        chance = effects.recover(network, images, originals, drawn, case.brief.target)
        regions = _regions(maps, areas, _seed(cell, "evidence"))
        returned = effects.recover(network, images, originals, regions, case.brief.target)
    draft.count(forward=passed.forward, backward=passed.backward)
    returned[heat.constant(maps)] = np.nan
    return Recovery(
        evidence=cell.inputs["evidence"],
        network=evidence.network,
        tool=evidence.tool.name,
        trojan=evidence.trojan,
        returned=tuple(returned.tolist()),
        chance=tuple(chance.tolist()),
        region=tuple(areas.tolist()),
    )


def _parts(case: Case) -> tuple[Images, ...]:
    probes = case.probes
    if probes is None or probes.originals is None:
        raise TypeError(f"{case.trojan.name} has no originals")
    return probes.images, probes.originals, probes.squares


def _seed(cell: Cell, of: str) -> int:
    return int(digest({"purpose": "pasted pixels", "seed": cell.inputs["seed"], "of": cell.inputs[of]})[:15], 16)


def _regions(maps: npt.NDArray[np.float32], areas: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """As many of each map's highest pixels as its trigger has; all of a blank map are equal, so they are drawn."""
    found = np.zeros(maps.shape, dtype=np.bool_)
    for index, (values, area) in enumerate(zip(maps, areas.tolist(), strict=True)):
        found[index] = heat.highest(values, area, np.random.default_rng([seed, index]))
    return found
