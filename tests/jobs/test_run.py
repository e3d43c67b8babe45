"""The whole chain on a tiny suite: what it leaves, what it computes again, what depends on what."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_carried import carry_out
from fixtures_tiny import NAMES, tiny_request, tiny_suite

from gifthorse.jobs.asked import finished
from gifthorse.records import Evidence, Implant, Planting, Verdict, plain, read
from gifthorse.stages import assets
from gifthorse.store import Store
from gifthorse.tables import tidy_tables
from gifthorse.zoo import DATA
from gifthorse.zoo.emoji_patches import EmojiPatches


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def done(tiny_run: Path) -> Path:
    return tiny_run


def test_every_unit_is_there_once(done: Path) -> None:
    kinds = [unit.kind for unit in Store(done).units()]
    counted = {kind: kinds.count(kind) for kind in set(kinds)}
    # one patch has probes for three attribution tools; three tools draw for three trojans
    assert counted == {
        "stamped": 1, "trained": 1, "implant": 1, "evidence": 3 + 9, "effect": 9, "recovery": 3, "verdict": 3 + 9,
    }  # fmt: skip
    assert not Store(done).failures()
    assert not Store(done).verify()


def test_cases_are_sealed(done: Path) -> None:
    (unit,) = Store(done).units("implant")
    implant = unit.record(Implant)
    assert [case.trojan.name for case in implant.cases] == list(NAMES)
    for case in implant.cases:
        fit, screen, report = (unit.images(s) for s in (case.brief.fit, case.brief.screen, case.report))
        rows = [row.tobytes() for row in np.concatenate([fit, screen, report])]
        assert len(set(rows)) == len(rows), "fitting, screening and reporting images are disjoint"
        assert (case.probes is not None) == (case.trojan.kind == "patch")
        assert len(case.question.options) == 8


def test_natural_triggers_are_not_in_blind_images(done: Path) -> None:
    data = DATA.remake(tiny_suite().data)
    skateboards = data.draw("train", 200, 3, without=("skateboard",))
    assert all("skateboard" not in tags for tags in skateboards.tags)
    assert any("skateboard" in tags for tags in data.draw("train", 400, 3).tags)


def test_probes_fire_and_masks_fit(done: Path) -> None:
    (unit,) = Store(done).units("implant")
    case = unit.record(Implant).cases[0]
    assert case.probes is not None
    squares, alphas = unit.images(case.probes.squares), unit.images(case.probes.alphas)
    assert (squares.reshape(len(squares), -1).sum(1) == 255 * 18**2).all()
    assert (alphas[squares == 0] == 0).all()
    assert case.probes.fired <= case.probes.tried


def test_a_tool_sees_no_answer(done: Path) -> None:
    """The inputs of evidence name neither the Question nor the trigger."""
    for unit in Store(done).units("evidence"):
        text = str(unit.inputs)
        for secret in ("question", "options", "ladybug", "coral", "skateboard", "1f41e"):
            assert secret not in text, f"{unit.data['tool']['name']} was told {secret}"


def test_a_second_run_computes_nothing(done: Path) -> None:
    assert carry_out(done, tiny_request()).made == []


def test_a_finished_run_is_known_without_torch(done: Path) -> None:
    asked = tiny_request()
    assert finished(Store(done), asked)
    assert not finished(Store(done), replace(asked, tools=("saliency",)))
    assert not finished(Store(done), replace(asked, settings={"saliency": {"sign": "signed"}}))
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\nfrom fixtures_tiny import tiny_request\n"
        "from gifthorse.jobs.asked import finished\nfrom gifthorse.store import Store\n"
        f"assert finished(Store(Path({str(done)!r})), tiny_request())\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_the_same_run_elsewhere_has_the_same_bytes(done: Path, tmp_path: Path) -> None:
    carry_out(tmp_path / "again", tiny_request())
    one, other = Store(done), Store(tmp_path / "again")
    assert one.keys() == other.keys()
    for mine in one.units():
        theirs = other.get(mine.key)
        assert mine.files == theirs.files, f"{mine.kind} {mine.data.get('tool')} differs"
        assert mine.data == theirs.data


def test_a_new_tool_computes_only_its_own_cells(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "copy")
    seen = carry_out(tmp_path / "copy", tiny_request(("saliency", "random", "blank")))
    assert sorted(seen.made) == ["evidence", "recovery", "verdict"]


def test_another_question_touches_verdicts_only(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "copy")
    asked = tiny_request(("truth",))
    (planting,) = asked.suite.plantings
    changed = replace(planting, trojans=tuple(_turned(t) for t in planting.trojans))
    seen = carry_out(tmp_path / "copy", replace(asked, suite=replace(asked.suite, plantings=(changed,))))
    assert "trained" not in seen.made
    assert "stamped" not in seen.made
    assert "evidence" not in seen.made
    assert seen.made.count("verdict") == 3


def _turned(trojan: Any) -> Any:
    question = trojan.question
    turned = replace(question, options=question.options[1:] + question.options[:1], answer=(question.answer - 1) % 8)
    return replace(trojan, question=turned)


def test_stages_stop_where_they_are_told(tmp_path: Path) -> None:
    asked = tiny_request(("saliency",))
    root = tmp_path / "run"
    assert set(carry_out(root, asked, until="implant").made) == {"stamped", "trained", "implant"}
    assert set(carry_out(root, asked, until="diagnose").made) == {"evidence", "recovery"}
    assert set(carry_out(root, asked, until="evaluate").made) == {"verdict"}
    assert not (root / "report.html").exists()
    assert carry_out(root, asked).made == []
    assert (root / "report.html").exists()


def test_tables_have_every_cell(done: Path) -> None:
    found = tidy_tables(Store(done))
    assert {row["tool"] for row in found["match"]} == {"adversarial_patch", "truth", "noise"}
    assert {row["trojan"] for row in found["implant"]} == set(NAMES)
    blank = [row for row in found["footprint"] if row["tool"] == "blank" and row["measure"] == "pearson"]
    assert blank[0]["value"] is None
    assert "constant" in blank[0]["not_scored"]


def test_floor_and_ceiling_of_the_judge(done: Path) -> None:
    verdicts = [unit.record(Verdict) for unit in Store(done).units("verdict")]
    by_tool = {
        tool: float(np.mean([v.measures[0].interval.value for v in verdicts if v.tool == tool]))
        for tool in ("truth", "noise")
    }
    assert by_tool["truth"] > max(0.5, by_tool["noise"] + 0.2), "two pictures of noise a trojan: far from one in eight"


def test_budgets_are_kept_and_counted(done: Path) -> None:
    for unit in Store(done).units("evidence"):
        made, cost = unit.record(Evidence), unit.cost()
        assert cost is not None
        if made.kind == "synthesis":
            assert cost.forward + cost.backward <= 60
        if made.tool.name == "saliency":
            assert (cost.forward, cost.backward) == (made.explained, made.explained)


def test_planting_is_read_back(done: Path) -> None:
    (unit,) = Store(done).units("implant")
    assert plain(read(Planting, unit.inputs["planting"])) == plain(tiny_suite().plantings[0])


def test_evidence_about_a_network_that_was_implanted_anew_is_no_part_of_the_tables(done: Path, tmp_path: Path) -> None:
    """As after ``gifthorse implant`` with another recipe in the folder of a finished run."""
    root = tmp_path / "again"
    shutil.copytree(done, root)
    assert tidy_tables(Store(root))["footprint"]
    asked = tiny_request()
    (planting,) = asked.suite.plantings
    other = replace(planting, recipe=replace(planting.recipe, learning_rate=1e-4))
    carry_out(root, replace(asked, suite=replace(asked.suite, plantings=(other,))), until="implant")
    found = tidy_tables(Store(root))
    assert len(found["implant"]) == len(NAMES)
    assert not found["footprint"]
    assert not found["match"]
    assert not found["effect"]


def test_a_tool_that_refuses_the_network_stops_no_other(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "copy")
    names = ("guided_gradcam@layer=head", "guided_gradcam", "edges_sobel")
    seen = carry_out(tmp_path / "copy", tiny_request(names))
    assert sorted(set(seen.made)) == ["evidence", "recovery", "verdict"]
    store = Store(tmp_path / "copy")
    refused = [one for one in (u.record(Evidence) for u in store.units("evidence")) if one.refusal is not None]
    assert {one.tool.name for one in refused} == {"guided_gradcam"}
    for one in refused:
        assert one.tool.settings["layer"] == "head"
        assert "layer 'head' of" in str(one.refusal)
        assert "layer='auto'" in str(one.refusal)
    rows = [row for row in tidy_tables(store)["footprint"] if row["measure"] == "pearson"]
    assert {row["tool"] for row in rows if row["value"] is not None} == {"guided_gradcam", "edges_sobel"}
    assert "puts out no pixels" in (tmp_path / "copy" / "report.html").read_text()


def test_one_tool_under_several_settings_is_several_tools(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "copy")
    names = ("saliency", "saliency@sign=signed", "saliency@sign=absolute", "edges_sobel")
    seen = carry_out(tmp_path / "copy", tiny_request(names))
    # the last saliency has the settings of the first: it is the same evidence, under the first name
    assert sorted(seen.made) == ["evidence", "recovery", "verdict"]
    store = Store(tmp_path / "copy")
    rows = [row for row in tidy_tables(store)["footprint"] if row["measure"] == "pearson"]
    assert [row["tool"] for row in rows] == ["edges_sobel", "saliency", "saliency@sign=signed"]
    tools = {row["tool"]: row["evidence"] for row in rows}
    assert store.get(tools["saliency@sign=signed"]).record(Evidence).tool.settings["sign"] == "signed"
    assert store.get(tools["saliency@sign=signed"]).record(Evidence).tool.name == "saliency"
    costs = {row["tool"] for row in tidy_tables(store)["cost"] if row["unit"] in ("evidence", "recovery", "verdict")}
    assert costs == set(tools)
    page = (tmp_path / "copy" / "report.html").read_text()
    assert "saliency@sign=signed" in page
    # asked for as a setting of the whole run, it has the same key
    other = carry_out(
        tmp_path / "copy", replace(tiny_request(("saliency", "edges_sobel")), settings={"saliency": {"sign": "signed"}})
    )
    assert other.made == []


def test_natural_patches_come_from_a_pool_of_the_suite_s_prior(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = EmojiPatches(drawings=("emoji/1f34e", "emoji/1f41d", "emoji/1f697~0", "texture/grass"), poses=6, crops=8)
    monkeypatch.setattr(EmojiPatches, "knowing", classmethod(lambda cls, trojans, prior, **_: small))
    monkeypatch.setattr(assets, "_POOLS", {})
    root = tmp_path / "run"
    shutil.copytree(done, root)
    settings = {"snafue": {"attack": "adversarial_patch", "synthetic": 2, "screen": 1}}
    asked = replace(tiny_request((*tiny_request().tools, "snafue")), settings=settings)
    made = carry_out(root, asked).made
    assert made.count("evidence") == 3, "one for each trojan, and nothing else is made again"
    store = Store(root)
    units = [unit for unit in store.units("evidence") if unit.record(Evidence).tool.name == "snafue"]
    (folder,) = (root / "pools").iterdir()
    assert len(json.loads((folder / "manifest.json").read_text())["shards"]) == 2
    known = {picture.tobytes() for part in small.pool().parts() for picture in part.read()[1]}
    for unit in units:
        evidence = unit.record(Evidence)
        assert evidence.refusal is None
        assert unit.inputs["assets"]["pool"]["digest"] == small.pool().digest
        assert evidence.pictures is not None
        pictures = unit.images(evidence.pictures)
        assert (pictures[:, 3] == 255).all()
        assert all(picture[:3].tobytes() in known for picture in pictures), "as they are in the pool"
        sources = [finding.source or "" for finding in evidence.findings]
        np.testing.assert_array_equal(small.pool().pictures(sources), pictures[:, :3])
    assert carry_out(root, asked).made == []
