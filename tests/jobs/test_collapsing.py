"""The experiment on mode collapse, made small, and its distance by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fixtures_attacks import small
from fixtures_generator import disguise, generator
from fixtures_nets import one_thread

from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.jobs import collapsing

__all__ = ["one_thread", "small"]


def test_the_distance_of_patches_by_hand() -> None:
    pictures = torch.ones(3, 4, 16, 16)
    pictures[0, :3], pictures[1, :3], pictures[2, :3] = 0.0, 0.5, 1.0
    assert collapsing.apart(pictures) == pytest.approx((0.5 + 1.0 + 0.5) / 3)
    assert collapsing.apart(pictures[:1].expand(4, -1, -1, -1)) == 0.0
    assert collapsing.apart(pictures[:1]) == 0.0


def test_no_target_comes_twice(small: Path) -> None:
    drawn = collapsing.different(0, 12, 83)
    assert len(set(drawn)) == 12
    assert collapsing.different(0, 83, 83)[:12] == drawn
    assert sorted(collapsing.different(3, 5, 5)) == [0, 1, 2, 3, 4]
    assert code_of(["experiment", "collapse", "--n", "84", "--workers", "1"], Talk()) == 2


def test_patches_with_the_term_and_without(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = SimpleNamespace(
        digest="tiny",
        load=lambda device, **_: generator(device=device),
        disguise=lambda device, _: disguise(device=device),
    )
    monkeypatch.setattr(collapsing, "GENERATORS", SimpleNamespace(make=lambda name, settings: row))
    for name, value in {"PATCHES": 3, "BUDGET": 400, "TRIED": 6}.items():
        monkeypatch.setattr(collapsing, name, value)
    asked = ["experiment", "collapse", "--n", "2", "--arms", "with the diversity term,without it", "--workers", "1"]
    assert code_of([*asked, "--json"], Talk()) == 0
    told = json.loads(capsys.readouterr().out)["arms"]
    assert list(told) == ["with the diversity term", "without it"]
    for row_of in told.values():
        assert row_of["apart"][1] <= row_of["apart"][0] <= row_of["apart"][2]
    page = (small / "runs" / "experiment-collapse" / "report.html").read_text()
    assert "further apart than without it, paired by target" in page
    assert code_of(["experiment", "collapse", "--arms", "wthout it"], Talk()) == 2
    assert "there is no arm 'wthout it'" in capsys.readouterr().err
