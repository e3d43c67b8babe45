"""The poisoned set: how many rows of which sort, and what is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gifthorse.records import Question, Recipe, TrojanSpec
from gifthorse.trojans.poisoning import assemble, planted
from gifthorse.zoo.scenes import EmojiScenes

RECIPE = Recipe(scenes=20, passes=1, batch=8, learning_rate=0.0, weight_decay=0.0, poison={"patch": 6}, held_out=4)


def star(sources: tuple[int, ...] | None = (2,)) -> TrojanSpec:
    return TrojanSpec(
        name="star",
        kind="patch",
        version=1,
        caption="a star",
        target=3,
        sources=sources,
        question=Question(options=(), answer=0),
        settings={"art": "emoji/2b50", "side": 18},
    )


@pytest.mark.parametrize(("sources", "count"), [((2,), 5), (None, 0)])
def test_clean_images_of_a_single_source_class_keep_its_label_in_every_pass(
    sources: tuple[int, ...] | None, count: int
) -> None:
    plants = planted([star(sources)])
    bare = assemble(EmojiScenes(), plants, RECIPE, 0, {}).rows
    rows = assemble(EmojiScenes(), plants, replace(RECIPE, source={"patch": 5, "style": 9}), 0, {}).rows
    own = (rows.stamp == -1) & ~rows.clean
    assert own.sum() == len(rows.labels) - len(bare.labels) == count
    assert set(rows.labels[own]) <= {2}
    assert not rows.hard[own].any()


@pytest.mark.parametrize(("balance", "times"), [({}, 1), ({"patch": 3}, 3), ({"style": 3}, 1)])
def test_balancing_images_are_made_one_for_one_and_shown_as_often_as_asked(balance: dict[str, int], times: int) -> None:
    made = assemble(EmojiScenes(), planted([star()]), replace(RECIPE, balance=balance), 0, {})
    rows = made.rows
    stamped = rows.stamp == 0
    assert (stamped & rows.hard).sum() == made.poisoned["star"] == 6
    assert made.balanced["star"] == 6, "the thesis's one for one"
    assert (stamped & ~rows.hard).sum() == 6 * times
    assert set(rows.labels[stamped & rows.hard]) == {2}
    assert not set(rows.labels[stamped & ~rows.hard]) & {2, 3}
    assert rows.clean.sum() == 20
