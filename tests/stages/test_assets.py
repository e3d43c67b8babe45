"""Prepared inputs: what keys keep of them, and that a suite without a generator refuses."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gifthorse.errors import Refusal
from gifthorse.stages.assets import assets_given, assets_seen, pool_known
from gifthorse.suites import suite
from gifthorse.tools import TOOLS
from gifthorse.zoo.emoji_patches import EmojiPatches

CASE: Any = SimpleNamespace(truth=SimpleNamespace(sha256="a hash"))
STORE: Any = SimpleNamespace()
ABOUT: Any = (SimpleNamespace(), CASE, SimpleNamespace())
RFLA = TOOLS.load("rfla_perturb").prepares


def cell_with(assets: dict[str, Any]) -> Any:
    return SimpleNamespace(inputs={"assets": assets, "ground": {"device": "cpu", "precision": "float32"}})


def test_a_key_keeps_which_generator_it_was_and_no_more_than_the_tool_asks_for() -> None:
    made = suite("emoji12")
    assert assets_seen(made, (), CASE) == {}
    assert assets_seen(made, ("truth",), CASE) == {"truth": "a hash"}
    opened, closed = (assets_seen(replace(made, prior=prior), RFLA, CASE) for prior in ("open", "closed"))
    assert set(opened) == {"generator"}
    assert opened["generator"]["prior"] == "open"
    assert opened["generator"]["digest"] != closed["generator"]["digest"]
    assert opened == assets_seen(made, RFLA, CASE)


def test_what_is_given_is_the_generator_of_the_key() -> None:
    seen = assets_seen(replace(suite("emoji12"), prior="closed"), RFLA, CASE)
    given = assets_given(STORE, cell_with(seen), RFLA, ABOUT)
    assert set(given) == {"generator", "disguise"}
    assert given["generator"].name == "emoji-objects-closed"
    assert not set(given["generator"].showing("bee")) & set(given["generator"].showing("fly"))
    assert len(given["disguise"].classifiers) == 2
    assert given["disguise"].showing("bee"), "so that a patch can be told to look like something else"


def test_a_region_attack_gets_the_scenes_and_snafue_the_pool_of_the_same_prior() -> None:
    made = replace(suite("emoji12"), prior="closed")
    seen = assets_seen(made, TOOLS.load("rfla_region").prepares, CASE)
    assert set(seen) == {"generator", "scenes"}
    given = assets_given(STORE, cell_with(seen), TOOLS.load("rfla_region").prepares, ABOUT)
    assert given["scenes"].name == "emoji-scenes-closed"
    pools = [
        assets_seen(replace(made, prior=prior), TOOLS.load("snafue").prepares, CASE)["pool"]
        for prior in ("open", "closed")
    ]
    assert pools[0]["name"] == pools[1]["name"]
    assert pools[0]["digest"] != pools[1]["digest"]


def test_a_key_keeps_what_a_run_wants_in_its_pool() -> None:
    made = suite("emoji12")
    seen = [
        assets_seen(each, TOOLS.load("snafue").prepares, CASE)["pool"]["digest"]
        for each in (
            made,
            replace(made, without_natural=True),
            replace(made, with_triggers=True),
            replace(made, without_natural=False),
        )
    ]
    assert len(set(seen)) == 3
    assert seen[0] == seen[3]
    rfla = [assets_seen(replace(made, with_triggers=on), RFLA, CASE) for on in (False, True)]
    assert rfla[0] == rfla[1], "what searches no pool stays as it is"


def test_what_is_in_a_pool_by_default_has_not_changed() -> None:
    """Keys of evidence that is there already name this pool."""
    known = pool_known(suite("emoji12"))
    assert known.without == ()
    assert known == EmojiPatches.knowing([t for p in suite("emoji12").plantings for t in p.trojans], "open")


def test_a_suite_without_a_generator_refuses() -> None:
    seen = assets_seen(replace(suite("emoji12"), generator=None), RFLA, CASE)
    assert seen == {"generator": None}
    with pytest.raises(Refusal, match="no generator"):
        assets_given(STORE, cell_with(seen), RFLA, ABOUT)
