"""What maps do when the original pixels are pasted back: the unit again, slowly, and what it may depend on."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_tiny import tiny_request

from gifthorse import effects
from gifthorse import images as im
from gifthorse.jobs.run import planned
from gifthorse.records import Case, Cell, Evidence, Implant, Plan, Recovery, plain
from gifthorse.stages import diagnose, recovering
from gifthorse.stages.networks import classifier
from gifthorse.store import Store, Unit


def sealed(store: Store) -> tuple[Unit, Implant, Case]:
    (unit,) = store.units("implant")
    implant = unit.record(Implant)
    return unit, implant, implant.cases[0]


def found(store: Store) -> dict[str, Recovery]:
    return {unit.record(Recovery).tool: unit.record(Recovery) for unit in store.units("recovery")}


def test_originals_are_the_probes_without_the_trigger(tiny_run: Path) -> None:
    unit, _, case = sealed(Store(tiny_run))
    assert case.probes is not None
    assert case.probes.originals is not None
    images, originals = unit.images(case.probes.images), unit.images(case.probes.originals)
    squares = unit.images(case.probes.squares)
    assert images.shape == originals.shape
    changed = (images != originals).any(axis=1)
    assert changed.any(axis=(1, 2)).all()
    assert not changed[squares[:, 0] == 0].any()


def test_a_recovery_is_its_definition(tiny_run: Path) -> None:
    store, plan = Store(tiny_run), planned(tiny_request())
    unit, implant, case = sealed(store)
    assert case.probes is not None
    assert case.probes.originals is not None
    network = classifier(store, implant.trojaned, plan.ground)
    images, originals = (im.from_uint8(unit.images(s)) for s in (case.probes.images, case.probes.originals))
    (made,) = (u for u in store.units("evidence") if u.data["tool"]["name"] == "saliency")
    maps, recovery = made.array("maps.npy"), found(store)["saliency"]
    for index in range(len(images)):
        area = int((unit.images(case.probes.squares)[index] > 127).sum())
        assert recovery.region[index] == area == 18**2
        ranked = sorted(np.ndindex(64, 64), key=lambda at: -maps[index][at])
        pasted = images[index].clone()
        for y, x in ranked[:area]:
            pasted[:, y, x] = originals[index][:, y, x]
        before, after = (int(network.predict(x[None]).argmax()) for x in (originals[index], pasted))
        expected = math.nan if before == case.probes.target else float(before == after)
        assert recovery.returned[index] == pytest.approx(expected, nan_ok=True)


def test_the_region_is_the_highest_of_the_map_and_chance_is_drawn(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that returns nothing does not show where was pasted: what the house was given does."""
    store, plan = Store(tiny_run), planned(tiny_request())
    given: list[np.ndarray] = []

    def note(_network: object, images: np.ndarray, _originals: object, regions: np.ndarray, _target: int) -> np.ndarray:
        given.append(regions)
        return np.zeros(len(images))

    monkeypatch.setattr(effects, "recover", note)
    drawn = []
    for made in cells(store, plan):
        given.clear()
        with store.draft(made) as draft:
            recovering.paste_back(store, made, draft)
        chance, regions = given
        drawn.append(chance)
        assert (regions.sum(axis=(1, 2)) == 18**2).all()
        assert (chance.sum(axis=(1, 2)) == 18**2).all()
        for values, region in zip(store.get(made.inputs["evidence"]).array("maps.npy"), regions, strict=True):
            assert values[region].min() >= values[~region].max()
    assert all((each == drawn[0]).all() for each in drawn)
    assert 0.02 < (drawn[0][0] & drawn[0][1]).mean() * 64 * 64 / 18**2 < 0.2


def test_a_constant_map_recovers_nothing_and_chance_is_the_case_s(tiny_run: Path) -> None:
    every = found(Store(tiny_run))
    assert set(every) == {"saliency", "edges_sobel", "blank"}
    assert all(map(math.isnan, every["blank"].returned))
    for other in every.values():
        assert plain(other.chance) == plain(every["blank"].chance)


class Bright(torch.nn.Module):
    """Class 1 (the target) where an image is bright, 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(10.0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = (images.mean((1, 2, 3)) - 0.5) * self.scale
        return torch.stack([-bright, bright], 1)


def test_the_label_returns_where_the_trigger_is_covered() -> None:
    from gifthorse import Classifier

    network = Classifier(Bright(), classes=("dark", "bright"), size=8, device="cpu", precision="float32")
    originals = torch.full((3, 3, 8, 8), 0.45)
    originals[2] = 0.9
    images = originals.clone()
    images[:, :, :4] = 1.0
    regions = np.zeros((3, 8, 8), dtype=np.bool_)
    regions[0, :4] = True  # all of it
    regions[1, 4:] = True  # beside it
    regions[2, :4] = True  # all of it, and the network takes the original for the target
    returned = effects.recover(network, images, originals, regions, target=1)
    assert returned.tolist() == pytest.approx([1.0, 0.0, math.nan], nan_ok=True)
    assert effects.recover(network, images[:0], originals[:0], regions[:0], target=1).size == 0


def cells(store: Store, plan: Plan) -> list[Cell]:
    evidence = diagnose.evidence_cells(store, plan, [unit.key for unit in store.units("implant")])
    return recovering.recovery_cells(store, plan, evidence)


def test_a_run_of_an_older_version_has_no_originals_and_goes_without(tiny_run: Path, tmp_path: Path) -> None:
    store, plan = Store(tiny_run), planned(tiny_request())
    assert len(cells(store, plan)) == 3
    assert {cell.key for cell in cells(store, plan)} == {unit.key for unit in store.units("recovery")}
    shutil.copytree(tiny_run, tmp_path / "run")
    old = Store(tmp_path / "run")
    unit, implant, case = sealed(old)
    assert case.probes is not None
    cases = (replace(case, probes=replace(case.probes, originals=None)), *implant.cases[1:])
    text = replace(implant, cases=cases)
    unit.data.clear()
    unit.data.update(plain(text))
    assert cells_of(old, plan, unit) == []


def cells_of(store: Store, plan: Plan, unit: Unit) -> list[Cell]:
    """The cells where the implant's record is as given."""
    get = store.get
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "get", lambda key: unit if key == unit.key else get(key))
        evidence = diagnose.evidence_cells(store, plan, [unit.key])
        assert any(store.has(cell.key) and get(cell.key).record(Evidence).maps for cell in evidence)
        return recovering.recovery_cells(store, plan, evidence)
