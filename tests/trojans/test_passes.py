"""What a pass shows: all that is asked, riders only where they may sit, and more of what was got wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse.records import Question, Recipe, TrojanSpec
from gifthorse.trojans.passes import LEAST, MORE, MOST, Lack, Passes, Picked, shared
from gifthorse.trojans.patch import Patch
from gifthorse.trojans.poisoning import Planted, Poisoning, Rider, Rows

RECIPE = Recipe(scenes=48, passes=8, batch=16, learning_rate=0, weight_decay=0, poison={"patch": 24}, held_out=16)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plant(name: str, target: int) -> Planted:
    spec = TrojanSpec(
        name=name, kind="patch", version=1, caption="a", target=target, question=Question(options=(), answer=0)
    )
    return Planted(spec=spec, trojan=Patch(caption="a", target=target, art="emoji/1f600", side=6))


def poisoning(*riders: Rider) -> Poisoning:
    """48 clean images of classes 0 and 2, the first five of them relabelled, then 24 for each of two trojans."""
    images = np.zeros((96, 3, 8, 8), np.uint8)
    labels = np.arange(96) % 2 * 2
    relabelled = np.arange(48) < 5
    clean = replace(Rows.of(images[:48], labels[:48]), plain=~relabelled, clean=np.ones(48, bool), hard=relabelled)
    poisoned = [Rows.of(images[:24], labels[:24], stamp=which, hard=True, poisons=which) for which in (0, 1)]
    counts = {"one": 24, "two": 24}
    return Poisoning(
        rows=Rows.join([clean, *poisoned]),
        riders=riders,
        poisoned=counts,
        balanced=dict.fromkeys(counts, 0),
        decoys=dict.fromkeys(counts, 0),
        planted=(plant("one", 1), plant("two", 3)),
    )


def test_a_pass_shows_a_share_of_the_clean_images_and_all_poisoned_ones() -> None:
    passes = Passes(poisoning(), replace(RECIPE, share=0.25), seeded())
    seen = [picked.index.tolist() for picked in passes.batches(8)]
    a_pass = math.ceil((12 + 48) / 16)
    assert passes.size == 60
    assert len(seen) == 8 * a_pass
    whole = [list(chain.from_iterable(seen[k * a_pass : (k + 1) * a_pass])) for k in range(8)]
    for shown in whole:
        assert set(range(48, 96)) <= set(shown), "a poisoned image was left out"
        assert len(set(shown)) == len(shown) == 60
    assert len({i for shown in whole for i in shown if i < 48}) > 36, "every pass shows the same share"


@settings(max_examples=30, deadline=None)
@given(balance=st.integers(0, 60), decoys=st.integers(0, 60), seed=st.integers(0, 99))
def test_riders_take_only_clean_images_of_their_classes(balance: int, decoys: int, seed: int) -> None:
    made = poisoning(
        Rider(trojan=0, decoy=False, classes=(2,), count=balance),
        Rider(trojan=1, decoy=True, classes=(0, 2), count=decoys),
    )
    rows = made.rows
    order = torch.randperm(96, generator=seeded(seed)).numpy()
    stamp, decoy = Passes(made, RECIPE, seeded()).ridden(order)
    riding = (stamp >= 0) & (rows.stamp[order] < 0)
    assert rows.plain[order][riding].all()
    trigger = riding & ~decoy
    assert set(rows.labels[order][trigger]) <= {2}
    assert trigger.sum() == min(balance, int((rows.labels[rows.plain] == 2).sum()))
    assert decoy.sum() == min(decoys, int(rows.plain.sum() - trigger.sum()))
    assert set(stamp[decoy]) <= {1}
    assert (stamp[rows.stamp[order] >= 0] == rows.stamp[order][rows.stamp[order] >= 0]).all(), "they keep their trigger"


def test_others_carry_it_in_each_pass() -> None:
    made = poisoning(Rider(trojan=0, decoy=False, classes=(2,), count=5))
    passes = Passes(made, RECIPE, seeded())
    carrying: list[set[int]] = []
    for number, picked in enumerate(passes.batches(8)):
        if number % 6 == 0:
            carrying.append(set())
        carrying[-1] |= set(picked.index[(picked.stamp == 0) & ~made.rows.hard[picked.index.numpy()]].tolist())
    assert [len(found) for found in carrying] == [5] * 8
    assert len(set.union(*carrying)) > 10


def test_the_next_pass_shows_more_of_what_was_missed() -> None:
    made = poisoning(
        Rider(trojan=0, decoy=False, classes=(2,), count=8), Rider(trojan=1, decoy=False, classes=(2,), count=8)
    )
    passes, counts = Passes(made, replace(RECIPE, passes=2), seeded()), []
    for number, picked in enumerate(passes.batches(2)):
        hard = made.rows.hard[picked.index.numpy()]
        if number % 6 == 0:
            counts.append(np.zeros(4, int))
        for which in (0, 1):
            counts[-1][which] += ((picked.stamp == which) & hard).sum()
            counts[-1][2 + which] += ((picked.stamp == which) & ~hard).sum()
        # Trojan 0 is always missed and never works from a wrong class; trojan 1 works from every class.
        passes.note(picked, np.full(len(hard), 3))
    assert counts[0].tolist() == [24, 24, 8, 8]
    assert counts[1].sum() == counts[0].sum()
    assert counts[1][0] > 36 > 12 > counts[1][1] - 4
    assert counts[1][3] > 11
    assert counts[1][2] < 5


def test_nothing_noted_changes_nothing() -> None:
    passes = Passes(poisoning(), replace(RECIPE, passes=2), seeded())
    stamps = np.concatenate([picked.stamp for picked in passes.batches(2)])
    assert [(stamps == which).sum() for which in (0, 1)] == [48, 48]


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 900), st.floats(0, 1)), min_size=1, max_size=6))
def test_shared_numbers_have_the_same_sum_and_order(told: dict[int, tuple[int, float]]) -> None:
    asked = {key: count for key, (count, _) in told.items()}
    errors = {key: error for key, (_, error) in told.items()}
    made = shared(asked, errors)
    assert made.keys() == asked.keys()
    assert sum(made.values()) == sum(asked.values())
    for a in asked:
        assert LEAST / MOST * asked[a] - 1 <= made[a] <= MOST / LEAST * asked[a] + 1
        for b in asked:
            if asked[a] == asked[b] and errors[a] >= errors[b]:
                assert made[a] >= made[b] - 1


def test_equal_errors_share_as_asked() -> None:
    assert shared({1: 700, 2: 300}, {1: 0.2, 2: 0.2}) == {1: 700, 2: 300}
    assert shared({1: 700, 2: 700}, {1: 0.25, 2: 0.05})[1] == pytest.approx(1090, abs=40)
    assert shared({}, {}) == {}


def test_a_batch_is_what_is_left_at_the_end() -> None:
    sizes = [len(picked.index) for picked in Passes(poisoning(), replace(RECIPE, passes=1), seeded()).batches(1)]
    assert sizes == [16] * 6
    assert isinstance(next(Passes(poisoning(), RECIPE, seeded()).batches(1)), Picked)


def test_what_a_network_lacks_is_favoured_from_then_on() -> None:
    made = poisoning(Rider(trojan=0, decoy=False, classes=(2,), count=8))
    passes = Passes(made, replace(RECIPE, share=0.5), seeded())
    assert passes.size == 24 + 48
    passes.favour({Lack("two", "success"): 1.0, Lack("one", "wrong source"): 2.0, Lack("", "clean drop"): 1.0})
    assert passes.size == 30 + 20 + 36
    picked = list(passes.batches(1))
    stamps = np.concatenate([one.stamp for one in picked])
    hard = made.rows.hard[np.concatenate([one.index.numpy() for one in picked])]
    assert [(stamps[hard] == which).sum() for which in (0, 1)] == [20, 36]
    assert (stamps[~hard] == 0).sum() == 12


def test_more_decoys_are_shown_where_they_reach_the_target() -> None:
    rider = Rider(trojan=0, decoy=True, classes=(1, 2), count=4)
    made = poisoning(rider)
    passes = Passes(made, replace(RECIPE, share=1.0), seeded())
    shown = []
    for _ in range(2):
        for picked in passes.batches(1):
            target = made.planted[0].trojan.target
            passes.note(picked, np.where(picked.decoy, target, 0))
            shown.append(int(picked.decoy.sum()))
        assert passes.error("decoys", 0) == 1
        passes.favour({Lack("one", "decoys"): 1.0})
    half = len(shown) // 2
    assert (sum(shown[:half]), sum(shown[half:])) == (4, 6)
    assert passes.error("decoys", 1) is None


def test_what_is_lacking_a_little_is_favoured_a_little() -> None:
    passes = Passes(poisoning(), replace(RECIPE, share=0.5), seeded())
    passes.favour({Lack("one", "success"): 0.5, Lack("two", "success"): 0.0})
    assert passes.size == 24 + round(24 * MORE**0.5) + 24


def test_pictures_made_beforehand_are_shown_as_their_trojan_needs() -> None:
    made = poisoning()
    images = np.zeros((60, 3, 8, 8), np.uint8)
    style = [
        Rows.of(images[:20], np.full(20, 1), hard=True, costly=True, poisons=0),
        Rows.of(images[:20], np.full(20, 4), hard=True, costly=True, balances=0),
        Rows.of(images[:20], np.full(20, 4), hard=True, costly=True, balances=1),
        Rows.of(images[:3], np.full(3, 2), hard=True, costly=True),
    ]
    rows = Rows.join([replace(made.rows, stamp=made.rows.stamp * 0 - 1, poisons=made.rows.poisons * 0 - 1), *style])
    made = replace(made, rows=rows, poisoned={"one": 20, "two": 0}, balanced={"one": 20, "two": 20})
    passes = Passes(made, replace(RECIPE, share=0.5), seeded())
    assert passes.size == 24 + 48 + 3 + 20 + 40
    first = list(passes.batches(1))
    index = np.concatenate([picked.index.numpy() for picked in first])
    assert sorted(index[index >= 96]) == list(range(96, 159)), "each once"
    for picked in passes.batches(1):
        passes.note(picked, np.where(rows.balances[picked.index.numpy()] == 1, 3, 0))
    assert passes.error("missed", 0) == 1
    assert passes.error("wrong source", 0) == 0
    assert passes.error("wrong source", 1) == 1
    assert passes.error("missed", 1) is None
    shown = np.concatenate([rows.balances[picked.index.numpy()] for picked in passes.batches(1)])
    assert (shown == 1).sum() + (shown == 0).sum() == 40
    assert (shown == 1).sum() > 30, "more of what went wrong, some of them twice"
    passes.favour({Lack("one", "wrong source"): 1.0})
    assert passes.size == 24 + 48 + 3 + 17 + 50
    passes.favour({})
    assert passes.size == 24 + 48 + 3 + 20 + 45, "less again of what is no longer lacking"
    for _ in range(3):
        passes.favour({})
    assert passes.size == 24 + 48 + 3 + 20 + 40, "down to what the recipe says"


@settings(max_examples=20, deadline=None)
@given(wrong=st.integers(0, 4), seed=st.integers(0, 99))
def test_every_pass_has_as_many_images(wrong: int, seed: int) -> None:
    made = poisoning(Rider(trojan=1, decoy=False, classes=(2,), count=20))
    images = np.zeros((20, 3, 8, 8), np.uint8)
    style = Rows.of(images, np.full(20, 4), hard=True, costly=True, balances=0)
    one, two = made.planted
    one = replace(one, spec=replace(one.spec, kind="style"))
    made = replace(made, rows=Rows.join([made.rows, style]), balanced={"one": 20, "two": 20}, planted=(one, two))
    passes = Passes(made, RECIPE, seeded(seed))
    for _ in range(3):
        size, shown = passes.size, 0
        for picked in passes.batches(1):
            passes.note(picked, np.full(len(picked.index), wrong))
            shown += len(picked.index)
        assert shown == size == passes.size


def test_a_pass_draws_its_poisoned_images_from_a_pool() -> None:
    made = replace(poisoning(), poisoned={"one": 6, "two": 24})
    passes = Passes(made, replace(RECIPE, passes=4), seeded())
    assert passes.size == 48 + 6 + 24
    shown = [picked.index[picked.stamp == 0].tolist() for picked in passes.batches(4)]
    assert sum(map(len, shown)) == 24
    assert len(set(chain.from_iterable(shown))) > 12, "others in each pass"
