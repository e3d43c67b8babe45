"""The experiment of Figures 5.4 and 5.5, in small: arms, targets, stopping, and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fixtures_attacks import small
from fixtures_nets import one_thread

from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.jobs import attacking, disguising
from gifthorse.records import Attack, Attacks
from gifthorse.report import disguised
from gifthorse.store import Store
from gifthorse.tools import TOOLS

__all__ = ["one_thread", "small"]


def code(*arguments: str) -> int:
    return code_of(["experiment", *arguments], Talk())


def test_arms_differ_in_what_the_thesis_leaves_out_and_in_nothing_else() -> None:
    tools = {arm: TOOLS.make("rfla_perturb", settings) for arm, settings in disguising.ARMS.items()}
    assert len(tools) == 7
    full = tools["All"].settings
    off = {arm: {name for name, value in tool.settings.items() if value != full[name]} for arm, tool in tools.items()}
    pixels = {"space", "learning_rate"}
    assert off == {
        "All": set(),
        "No Gen": pixels,
        "No Disc": {"real"},
        "No Ent": {"sure"},
        "No Patch X-ent": {"unlike"},
        "Only Gen": {"real", "sure", "unlike"},
        "Brown et al.": pixels | {"real", "sure", "unlike"},
    }
    assert all(tools["Only Gen"].settings[name] == 0 for name in ("real", "sure", "unlike"))


def test_one_command_makes_the_figures_and_again_computes_nothing(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("disguise", "--n", "2", "--arms", "All,Brown et al.", "--workers", "1", "--json")
    assert code(*asked) == 0
    told = json.loads(capsys.readouterr().out)
    store = Store(small / "runs" / "experiment-disguise")
    units = {unit.key: unit.record(Attacks) for unit in store.units("attacks")}
    made = {
        arm: attacking.of_arm(store, sorted(k for k, u in units.items() if u.arm == arm))
        for arm in ("All", "Brown et al.")
    }
    for arm, (attacks, pictures) in made.items():
        assert told["arms"][arm]["attacks"] == len(attacks) == len(pictures)
        assert sum(attack.disguised for attack in attacks) >= 2
    first, second = (attacks for attacks, _ in made.values())
    few, many = sorted(({a.target for a in first}, {a.target for a in second}), key=len)
    assert few <= many, "the same targets"
    assert all(attack.n == 6 and 0 <= attack.confidence <= 1 for attack in first)
    html = (store.root / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', html), "nothing from outside"
    for words in ("Brown et al.", "share disguised", "Scenes of the target, whole, as patches", "alone: "):
        assert words in html
    assert code(*asked) == 0
    assert {unit.key for unit in store.units("attacks")} == set(units)
    assert json.loads(capsys.readouterr().out) == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("disgiuse",), "did you mean 'disguise'"),
        (("disguise", "--arms", "Al"), "there is no arm 'Al'"),
        (("disguise", "--n", "0"), "--n is 0"),
        (("disguise", "--net", "efficientnet-lite0"), "is no network of the emoji world"),
    ],
)
def test_misuse_is_named(small: Path, capsys: pytest.CaptureFixture[str], arguments: Any, told: str) -> None:
    assert code(*arguments, "--workers", "1") == 2
    assert told in capsys.readouterr().err


def attack(**rest: Any) -> Attack:
    told: dict[str, Any] = {
        "target": 1, "aimed": "bee", "confidence": 0.8, "hits": 8, "n": 10, "alone": "fly", "alone_confidence": 0.9,
        "looks": "gift", "realism": 0.7, "loss": 0.2,
    }  # fmt: skip
    return Attack(**told | rest)


def test_the_summary_is_of_disguised_patches_but_for_their_share() -> None:
    attacks = [attack(), attack(confidence=0.4), attack(alone="bee", confidence=1.0, realism=0.1)]
    found = disguised.summary(attacks)
    assert found["disguised"].value == pytest.approx(2 / 3)
    assert found["confidence"].value == pytest.approx(0.6)
    assert found["above"].value == 0.5
    assert found["realism"].value == pytest.approx(0.7)
    assert disguised.summary([attack(alone="bee", confidence=1.0)])["confidence"].value == 1.0
