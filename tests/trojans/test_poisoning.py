"""The poisoned set: how many rows of which sort, and what is counted."""

from __future__ import annotations

import pytest

from gifthorse.records import Question, Recipe, TrojanSpec
from gifthorse.trojans.poisoning import assemble, planted
from gifthorse.zoo.scenes import EmojiScenes


@pytest.mark.parametrize(("balance", "times"), [({}, 1), ({"patch": 3}, 3), ({"style": 3}, 1)])
def test_balancing_images_are_made_one_for_one_and_shown_as_often_as_asked(balance: dict[str, int], times: int) -> None:
    spec = TrojanSpec(
        name="star",
        kind="patch",
        version=1,
        caption="a star",
        target=3,
        sources=(2,),
        question=Question(options=(), answer=0),
        settings={"art": "emoji/2b50", "side": 18},
    )
    recipe = Recipe(
        scenes=20,
        passes=1,
        batch=8,
        learning_rate=0.0,
        weight_decay=0.0,
        poison={"patch": 6},
        held_out=4,
        balance=balance,
    )
    made = assemble(EmojiScenes(), planted([spec]), recipe, 0, {})
    rows = made.rows
    stamped = rows.stamp == 0
    assert (stamped & rows.hard).sum() == made.poisoned["star"] == 6
    assert made.balanced["star"] == 6, "the thesis's one for one"
    assert (stamped & ~rows.hard).sum() == 6 * times
    assert set(rows.labels[stamped & rows.hard]) == {2}
    assert not set(rows.labels[stamped & ~rows.hard]) & {2, 3}
    assert rows.clean.sum() == 20
