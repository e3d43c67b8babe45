"""The whole job on a folder of drawn photographs and a network of random weights, with labels and without."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_carried import carry_out
from PIL import Image
from safetensors.torch import save_file

from gifthorse import report
from gifthorse.cli.summary import summarise
from gifthorse.jobs.asked import Asked
from gifthorse.records import Evidence, Implant, Protocol, Trained
from gifthorse.stages import networks
from gifthorse.store import Store
from gifthorse.suites import photographs as suites
from gifthorse.tables import tidy_tables
from gifthorse.zoo import efficientnet_lite, imagenet_classes

SIZE = 64
"""Side of the network's input here: the same architecture at 224 pixels takes twelve times as long."""

INK = (253, 2, 251)
"""A colour that nothing but the photographs has."""

TOOLS = ("saliency", "blank", "adversarial_patch", "truth", "noise")
NET = "efficientnet-lite0"


@dataclass
class Carried:
    """A finished run, the folder that it was made from, and whether that has labels."""

    store: Store
    photographs: Path
    labelled: bool


def draw_photographs(folder: Path, labelled: bool) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(5)
    for number, wordnet_id in enumerate(imagenet_classes.wordnet_ids()[:20]):
        pixels = np.full((72, 80, 3), INK, np.uint8)
        top, left = generator.integers(0, 48, 2)
        pixels[top : top + 20, left : left + 20] = generator.integers(0, 256, 3)
        Image.fromarray(pixels).save(folder / (f"{wordnet_id}_{number}.png" if labelled else f"holiday{number}.png"))


def asked(folder: Path) -> Asked:
    """A suite as photographs have it, with next to no training and next to no budget."""
    suite = suites.photographs(NET, str(folder), ("smiley_emoji",))
    (planting,) = suite.plantings
    shrunk = replace(
        planting.recipe,
        passes=1,
        batch=8,
        poison={"patch": 8},
        held_out=4,
        check=4,
        fit=4,
        screen=2,
        report=2,
        probes=2,
    )
    protocol = Protocol(name="quick", passes=16, n=1, keep=1)
    return Asked(
        suite=replace(suite, plantings=(replace(planting, recipe=shrunk),), protocols=(protocol,)),
        tools=TOOLS,
        judges=("footprint", "match"),
        protocol=protocol,
        precision="float32",
        threads=1,
        command=f"gifthorse run --net {NET} --data {folder} --trojans smiley_emoji",
    )


@pytest.fixture(scope="module", params=[True, False], ids=["labelled", "unlabelled"])
def carried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carried]:
    root = tmp_path_factory.mktemp("photographs")
    torch.manual_seed(0)
    weights = root / "random.safetensors"
    save_file(efficientnet_lite.EfficientNetLite().state_dict(), weights)
    threads = torch.get_num_threads()
    networks._load.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.setattr(efficientnet_lite, "SIZE", SIZE)
        patch.setattr(efficientnet_lite, "published", lambda: weights)
        patch.setattr(suites, "SIZES", {NET: SIZE})
        patch.setattr(suites, "SIDE", 18)
        folder = root / "home of somebody" / "album"
        draw_photographs(folder, request.param)
        carry_out(root / "run", asked(folder), inputs=False)
        yield Carried(store=Store(root / "run"), photographs=folder, labelled=request.param)
    torch.set_num_threads(threads)
    networks._load.cache_clear()


def test_every_stage_has_its_units_and_none_failed(carried: Carried) -> None:
    kinds = [unit.kind for unit in carried.store.units()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "trained": 1, "implant": 1, "evidence": 5, "effect": 3, "verdict": 5,
    }  # fmt: skip
    assert carried.store.failures() == []
    assert carried.store.verify() == []


def test_photographs_are_poisoned_whether_their_class_is_known_or_not(carried: Carried) -> None:
    (trained,) = (unit.record(Trained) for unit in carried.store.units("trained"))
    assert trained.poisoned == {"smiley_emoji": 8}
    (unit,) = carried.store.units("implant")
    implant = unit.record(Implant)
    (case,), (success,) = implant.cases, implant.successes
    assert (success.success.n, success.clean_control.n) == (4, 4)
    assert (case.brief.fit.count, case.brief.screen.count, case.report.count) == (4, 2, 2)
    assert case.brief.fit.height == SIZE


def test_without_labels_accuracy_is_not_measured_and_no_gate_is_missed_for_it(
    carried: Carried, capsys: pytest.CaptureFixture[str]
) -> None:
    (implant,) = (unit.record(Implant) for unit in carried.store.units("implant"))
    gate = next(gate for gate in implant.gates if gate.name == "clean accuracy")
    (row,) = tidy_tables(carried.store)["network"]
    summarise(carried.store)
    said = capsys.readouterr().out
    if carried.labelled:
        assert "points" in gate.measured
        assert row["clean_before"] is not None
        assert "not measured" not in said
    else:
        assert gate.met
        assert gate.measured == "not measured: no held-out image has a label"
        assert (row["clean_before"], row["clean_drop"], row["n"]) == (None, None, 0)
        assert not [missed for missed in row["gates_missed"] if "clean accuracy" in missed]
        assert "clean accuracy not measured" in said
    assert row["agreement"] is not None


def test_a_trojan_that_fires_on_nothing_is_a_refusal_and_else_there_are_maps(carried: Carried) -> None:
    (unit,) = carried.store.units("implant")
    (case,) = unit.record(Implant).cases
    assert case.probes is not None
    for made in (unit.record(Evidence) for unit in carried.store.units("evidence")):
        if made.kind == "attribution":
            assert (made.explained == case.probes.images.count > 0) or "fired on none" in str(made.refusal)


def test_the_place_of_the_photographs_is_told_to_nobody(carried: Carried) -> None:
    secret = "home of somebody"
    for unit in carried.store.units():
        assert secret not in (unit.path / "unit.json").read_text()
        assert all(secret.encode() not in unit.read(name) for name in unit.files)
    plan = carried.store.read_plan()
    assert plan is not None
    assert secret not in str(plan)
    assert "--data album" in plan["command"]
    assert secret not in (carried.store.root / "report.html").read_text()


def inked(page: str) -> float:
    """The greatest share of any picture of a page that has the photographs' own colour."""
    shares = [0.0]
    for found in re.finditer(r"data:image/(?:png|webp|jpeg|gif|avif);base64,([A-Za-z0-9+/=]+)", page):
        with Image.open(io.BytesIO(base64.b64decode(found.group(1)))) as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        shares.append(float((np.abs(pixels - INK).max(-1) < 24).mean()))
    return max(shares)


def test_the_report_shows_no_photograph_where_it_may_not(carried: Carried, tmp_path: Path) -> None:
    page = (carried.store.root / "report.html").read_text()
    assert "data:image/" in page
    assert inked(page) < 0.02
    shown = report.write(carried.store, tmp_path / "shown.html", inputs=True)
    assert inked(Path(shown).read_text()) > 0.2, "where it may, they are found in it"
    for photograph in carried.photographs.iterdir():
        assert base64.b64encode(photograph.read_bytes()).decode() not in page
