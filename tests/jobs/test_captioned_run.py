"""Captions in a whole run: what they depend on, what they do not touch, and a server that is not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_carried import carry_out
from fixtures_tiny import tiny_request

from gifthorse.captioners.base import mark
from gifthorse.captioners.blip import Blip
from gifthorse.captioners.chat import Chat
from gifthorse.errors import FailedCells, InputError
from gifthorse.jobs.asked import Asked
from gifthorse.records import Caption, Evidence, PoolSample
from gifthorse.stages import assets
from gifthorse.store import Store
from gifthorse.tables import tidy_tables
from gifthorse.zoo.emoji_patches import EmojiPatches

SMALL = EmojiPatches(drawings=("emoji/1f34e", "emoji/1f41d", "emoji/1f697~0", "texture/grass"), poses=6, crops=8)
SETTINGS: dict[str, dict[str, Any]] = {"snafue": {"attack": "adversarial_patch", "synthetic": 2, "screen": 1}}
ADDRESS = "http://127.0.0.1:9/nowhere-in-particular/v1"


def request(*captioners: str, **settings: Any) -> Asked:
    asked = tiny_request(("snafue",))
    return replace(asked, captioners=captioners, settings=SETTINGS | settings)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmojiPatches, "knowing", classmethod(lambda cls, trojans, prior, **_: SMALL))
        patch.setattr(assets, "_POOLS", {})
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def done(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("captioned") / "run"
    shutil.copytree(tiny_run, root)
    return root, carry_out(root, request("encoder")).made


@pytest.fixture
def copy(done: tuple[Path, list[str]], tmp_path: Path) -> Path:
    shutil.copytree(done[0], tmp_path / "run")
    return tmp_path / "run"


def test_each_found_set_is_captioned_and_one_sample_serves_all(done: tuple[Path, list[str]]) -> None:
    root, made = done
    assert (made.count("sample"), made.count("caption")) == (1, 3)
    store = Store(root)
    (unit,) = store.units("sample")
    sample = unit.record(PoolSample)
    known = {mark(picture) for part in SMALL.pool().parts() for picture in part.read()[1]}
    marks = unit.array(sample.marks)
    assert (sample.count, sample.total) == (32, 32), "a pool that is smaller than the sample is all of it"
    assert set(marks.tolist()) == known
    rows = unit.array(sample.embeddings)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for unit in store.units("caption"):
        caption = unit.record(Caption)
        evidence = store.get(caption.evidence).record(Evidence)
        assert (caption.tool, caption.trojan) == ("snafue", evidence.trojan)
        assert caption.not_captioned is None
        assert (caption.n, caption.pool, caption.exact) == (len(evidence.kept), 32, True)
        assert caption.sample == 32 - len(evidence.kept), "none is held against itself"
        assert caption.p is not None
        assert (caption.words is not None) == (caption.p <= 0.05)
        cost = unit.cost()
        assert cost is not None
        assert (cost.forward, cost.backward) == (0, 0), "no network under test is asked"
    assert carry_out(root, request("encoder")).made == []


def test_tables_and_page_say_it(done: tuple[Path, list[str]]) -> None:
    rows = tidy_tables(Store(done[0]))["caption"]
    assert [(row["tool"], row["captioner"]) for row in rows] == [("snafue", "encoder")] * 3
    assert all(row["caption"] or row["common"] is False for row in rows)
    page = (done[0] / "report.html").read_text()
    assert page.count('<p class="said">In common, says') == 3
    assert "random pictures of a pool, with which found sets are compared" in page


def test_captioning_again_touches_captions_only(copy: Path) -> None:
    other = carry_out(copy, request("encoder@level=0.5"), until="evaluate")
    assert other.made == ["caption"] * 3
    smaller = carry_out(copy, request("encoder", encoder={"sample": 20}), until="evaluate")
    assert sorted(smaller.made) == ["caption"] * 3 + ["sample"]
    both = carry_out(copy, request("encoder", "encoder@level=0.5"), until="evaluate")
    assert both.made == []
    rows = tidy_tables(Store(copy))["caption"]
    assert sorted(row["level"] for row in rows) == [0.05] * 3 + [0.5] * 3
    assert carry_out(copy, request(), until="evaluate").made == []
    assert not tidy_tables(Store(copy))["caption"], "who asks for no captioner sees none of an earlier request"


def test_no_judge_is_shown_a_caption(done: tuple[Path, list[str]]) -> None:
    store = Store(done[0])
    captions = {unit.key for unit in store.units("caption")}
    for unit in store.units("verdict"):
        assert not any(key in json.dumps(unit.inputs) for key in captions)
    for unit in store.units("caption"):
        assert unit.record(Caption).encoder == unit.inputs["about"]["encoder"]


def test_tools_that_make_their_pictures_are_not_captioned(tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    seen = carry_out(tmp_path / "run", replace(tiny_request(), captioners=("encoder",)), until="evaluate")
    assert seen.made == []
    assert not list(Store(tmp_path / "run").units("caption"))


def test_a_server_that_is_not_there_is_a_failure_and_its_place_is_in_nothing_that_is_shown(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy.parent / "a-private-folder" / "blip"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    name = f"blip_llm@blip={folder}@url={ADDRESS}@model=a-model"
    asked = replace(request("encoder", name), command=f"gifthorse run --captioners encoder,{name}")
    with pytest.raises(InputError, match=r"has no config\.json"):
        carry_out(copy, asked)
    monkeypatch.setattr(Blip, "ready", lambda self: None)
    monkeypatch.setattr(Blip, "captions", lambda self, shown, device="cpu": ("a thing",) * len(shown))
    with pytest.raises(FailedCells, match="cannot be reached"):
        carry_out(copy, asked)
    store = Store(copy)
    assert {failure.kind for failure in store.failures()} == {"caption"}
    said: list[str] = []

    def answer(self: Chat, question: str) -> str:
        said.append(self.url)
        return "several things"

    monkeypatch.setattr(Chat, "answer", answer)
    assert carry_out(copy, asked, retry_failed=True).made == ["caption"] * 3
    assert said == [ADDRESS] * 3
    rows = [row for row in tidy_tables(store)["caption"] if row["captioner"] == "blip_llm"]
    assert [(row["caption"], row["p"]) for row in rows] == [("several things", None)] * 3
    shown = (copy / "report.html").read_text() + (copy / "plan.json").read_text()
    shown += "".join(path.read_text() for path in copy.glob("units/*/*/unit.json"))
    for secret in ("a-private-folder", "nowhere-in-particular", "127.0.0.1"):
        assert secret not in shown, secret
    assert "--captioners encoder,blip_llm@blip=blip@url=v1@model=a-model" in (copy / "plan.json").read_text()
    moved = folder.rename(folder.with_name("moved"))
    elsewhere = replace(asked, captioners=(name.replace(str(folder), str(moved)).replace(":9/", ":10/"),))
    assert carry_out(copy, elsewhere, until="evaluate").made == [], "where things lie is in no key"
    (moved / "model.safetensors").write_bytes(b"other weights")
    assert carry_out(copy, elsewhere, until="evaluate").made == ["caption"] * 3
