"""The experiment on failure modes: the figures by hand, and the whole on trojans of a run, made small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures_attacks import few, small
from fixtures_nets import one_thread
from fixtures_run import make_run

from gifthorse.classifier import resolve
from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.records import Failing, Images, Implant, Network, Retried, cell
from gifthorse.report import failing as page
from gifthorse.stages.networks import from_zoo
from gifthorse.store import Store
from gifthorse.suites import suite
from gifthorse.zoo.emoji_patches import EmojiPatches, shows_trigger
from gifthorse.zoo.posed import LATENT_OF

__all__ = ["few", "one_thread", "small"]


def code(*arguments: str) -> int:
    return code_of(["experiment", "failures", *arguments, "--workers", "1"], Talk())


@pytest.fixture
def run(few: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder whose implant has two patch trojans of emoji12, in the zoo's own network."""
    store, network = make_run(few / "planted"), from_zoo("emoji-resnet", resolve("cpu", "float32", 1))
    (unit,) = store.units("implant")
    made = unit.record(Implant)
    trojans = [each for each in suite("emoji12").plantings[0].trojans if each.name in ("green_star", "clownfish")]
    cases = tuple(replace(made.cases[0], trojan=each) for each in trojans)
    own = Network(name="emoji-resnet", digest=network.digest, classes=tuple(network.classes))
    record = replace(made, trojaned=own, clean=own, network="emoji-resnet", cases=cases)
    root = few / "run"
    planted = Store(root)
    told = cell("implant", "two trojans", "nothing:at_all", {"version": 0})
    with planted.draft(told) as draft:
        planted.commit(draft, told, record, unit.cost() or pytest.fail("it cost nothing"))
    tiny = EmojiPatches(drawings=("emoji/1f34e", "texture/grass"), poses=4, crops=4)

    def knowing(_trojans: Any, _prior: str, *, with_triggers: bool = False) -> EmojiPatches:
        art = ("emoji/2b50@green", *(str(each.settings["art"]) for each in trojans))
        return replace(tiny, drawings=(*tiny.drawings, *dict.fromkeys(art))) if with_triggers else tiny

    monkeypatch.setattr(EmojiPatches, "knowing", knowing)
    return root


def record(**rest: Any) -> Failing:
    told: dict[str, Any] = {
        "network": "n", "trojan": "t", "target": "fly", "present": 0.6, "absent": 0.4, "triggers": 16, "tried": 3,
        "nearest": 2, "best": 1, "found": 1, "near": 0.5, "near_any": 0.4, "alike": 0.9, "alike_any": 0.6,
        "changed": (), "shown": ("a", "b"), "successes": (0.6, 0.4),
        "pictures": Images(sha256="", file="", count=0, channels=4, height=1, width=1),
    }  # fmt: skip
    return Failing(**(told | rest))


def test_what_is_kept_is_a_share_of_all_success_by_hand() -> None:
    first = record(changed=(Retried(what="place", before=0.5, after=0.4, patches=2),))
    second = record(changed=(Retried(what="place", before=1.0, after=0.3, patches=1),), found=0)
    assert page.kept([first, second], "place") == pytest.approx((0.8 + 0.3) / (1.0 + 1.0))
    assert page.kept([first, second], "ground") is None
    assert page.recovered([first, second]).value == pytest.approx(0.5)
    told = page.notes([first, second])
    assert len(told) == 5, "five ways"
    assert "lower by 0.20" in told[0]
    assert "recovered for 1 of 2 trojans" in told[1]


def test_only_one_thing_about_a_drawing_is_changed() -> None:
    pool = EmojiPatches(drawings=("emoji/1f34e", "emoji/1f41d"), poses=3, crops=0)
    ids = ["emoji/1f41d 2", "emoji/1f34e 0"]
    whole = pool.pool().pictures(ids)
    for what in LATENT_OF:
        changed = pool.changed(ids, what, 0)
        assert (changed != whole).any((1, 2, 3)).all()
        assert (changed != pool.changed(ids, what, 1)).any()
    grounds = pool.changed(ids, "ground", 0) == whole
    middle = grounds[..., 14:18, 14:18]
    assert middle.all(), "the drawing itself stays where it is"


def test_a_trojan_is_looked_for_with_its_trigger_and_without(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("--run", str(run), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["trojan"] for one in told["trojans"]] == ["clownfish", "green_star"]
    store = Store(Path("runs") / "experiment-failures")
    (star,) = [r for unit in store.units("failing") if (r := unit.record(Failing)).trojan == "green_star"]
    (trojan,) = [each for each in suite("emoji12").plantings[0].trojans if each.name == "green_star"]
    half = len(star.shown) // 2
    assert star.found == sum(shows_trigger(trojan, name) for name in star.shown[:half])
    assert not any(shows_trigger(trojan, name) for name in star.shown[half:])
    assert (star.nearest is None) == (star.tried == 0)
    assert star.present == pytest.approx(sum(star.successes[:half]) / half)
    html = Path("runs/experiment-failures/report.html").read_text()
    for words in ("Five ways to fail", "2 of 4 in the thesis", "without the trigger", "The object is not in the pool"):
        assert words in html


def test_wrong_runs_are_refused(run: Path, few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("--run", str(few / "nothing")) == 3
    assert "is no run folder" in capsys.readouterr().err
    assert code("--run", str(few / "planted")) == 3
    assert "has no patch trojan of the emoji world" in capsys.readouterr().err
    assert code("--run", str(run), "--n", "3") == 2
    assert "1 to 2, the patch trojans" in capsys.readouterr().err
