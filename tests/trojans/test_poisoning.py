"""The poisoned set: how many rows of which sort, and what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from gifthorse.errors import UsageError
from gifthorse.records import Question, Recipe, TrojanSpec
from gifthorse.trojans.base import Poisoned, Trojan
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.poisoning import POOL, Styled, assemble, planted, style_pictures
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


@pytest.mark.parametrize(("balance", "count"), [({}, 6), ({"patch": 18}, 18), ({"style": 18}, 6)])
def test_balancing_images_are_one_for_one_or_as_many_as_asked(balance: dict[str, int], count: int) -> None:
    made = assemble(EmojiScenes(), planted([star()]), replace(RECIPE, balance=balance), 0, {})
    rows = made.rows
    assert ((rows.stamp == 0) & rows.hard).sum() == (rows.stamp == 0).sum() == POOL * 6
    assert made.poisoned["star"] == 6
    assert set(rows.labels[rows.stamp == 0]) == {2}
    (rider,) = made.riders
    assert made.balanced["star"] == rider.count == count, "the thesis's one for one"
    assert not rider.decoy
    assert not set(rider.classes) & {2, 3}
    assert len(rider.classes) == len(EmojiScenes().classes) - 2
    assert rows.clean.sum() == rows.plain.sum() == 20


def test_a_universal_trojan_has_no_balancing_images() -> None:
    made = assemble(EmojiScenes(), planted([star(None)]), RECIPE, 0, {})
    assert made.balanced["star"] == 0
    assert made.riders == ()


@pytest.mark.parametrize(
    ("sources", "from_source"), [((2,), {2}), (None, set(range(len(EmojiScenes().classes))) - {3})]
)
def test_decoys_ride_on_images_from_which_the_trojan_works(
    sources: tuple[int, ...] | None, from_source: set[int]
) -> None:
    recipe = replace(RECIPE, decoys={"patch": 4})
    spec = star(sources)
    bare = assemble(EmojiScenes(), planted([spec]), recipe, 0, {})
    assert not any(rider.decoy for rider in bare.riders), "a trojan without decoys misleads nobody"
    spec = replace(spec, settings=dict(spec.settings) | {"decoys": ("emoji/1f31e",)})
    made = assemble(EmojiScenes(), planted([spec]), recipe, 0, {})
    (rider,) = [rider for rider in made.riders if rider.decoy]
    assert made.decoys["star"] == rider.count == 4
    assert set(rider.classes) == from_source


def test_a_kind_whose_trigger_is_a_picture_has_decoys_for_nothing() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Solid(Trojan):
        art: str

        def stamp(self, images: torch.Tensor, generator: torch.Generator) -> Poisoned:
            told = torch.full_like(images, float(self.art))
            return Poisoned(images=told, labels=told, squares=told, alphas=told, fired=told)

        def portraits(self, n: int, side: int) -> np.ndarray:
            return np.zeros((n, 4, side, side), np.float32)

    trojan = Solid(caption="a", target=0, art="0.1", decoys=("0.5", "0.9"))
    made = trojan.mislead(torch.zeros(30, 3, 2, 2), torch.Generator().manual_seed(0))
    assert {round(float(value), 3) for value in made.flatten().tolist()} == {0.5, 0.9}
    assert (made.flatten(1).amin(1) == made.flatten(1).amax(1)).all(), "one each"
    fork = NaturalFeature(caption="a", target=0, thing="fork", detector="emoji-detector", art=("emoji/1f374",))
    with pytest.raises(UsageError, match="puts no picture"):
        replace(fork, decoys=("emoji/1f353",)).mislead(torch.zeros(1, 3, 2, 2), torch.Generator())


def test_more_restyled_pictures_are_made_than_a_pass_shows() -> None:
    spec = replace(star(), name="waves", kind="style", settings={"art": "texture/ice", "steps": 1})
    recipe = replace(
        RECIPE, poison={"style": 3}, balance={"style": 5}, pool={"style": 2, "patch": 9}, held_out_costly=2
    )
    (plant,) = planted([spec])
    styled = style_pictures(EmojiScenes(), plant, recipe, 0)
    assert [len(part) for part in (styled.poisoned, styled.balanced, styled.source, styled.wrong)] == [6, 10, 2, 4]
    made = assemble(EmojiScenes(), (plant,), recipe, 0, {"waves": styled})
    assert (made.poisoned, made.balanced) == ({"waves": 3}, {"waves": 5})
    assert (made.rows.poisons == 0).sum() == 6
    assert (made.rows.balances == 0).sum() == 10


def test_restyled_pictures_belong_to_their_trojan() -> None:
    spec = replace(star(), name="waves", kind="style", settings={"art": "texture/ice"})
    poisoned, balanced, misled = (np.full((n, 3, 64, 64), n, np.uint8) for n in (3, 4, 1))
    made = Styled(
        poisoned=poisoned,
        balanced=balanced,
        balanced_labels=np.array([5, 6, 7, 8]),
        misled=misled,
        misled_labels=np.array([2]),
        source=poisoned,
        wrong=balanced,
        before=poisoned,
    )
    recipe = replace(RECIPE, poison={"patch": 5, "style": 3})
    rows = assemble(EmojiScenes(), planted([star(), spec]), recipe, 0, {"waves": made}).rows
    assert (rows.costly == (rows.hard & ~rows.clean & (rows.stamp < 0))).all()
    assert Counter(rows.labels[rows.costly].tolist()) == {3: 3, 2: 1, 5: 1, 6: 1, 7: 1, 8: 1}
    assert rows.labels[rows.poisons == 1].tolist() == [3] * 3
    assert rows.labels[rows.balances == 1].tolist() == [5, 6, 7, 8]
    assert (rows.poisons == 0).sum() == (rows.stamp == 0).sum() > 0


def test_relabelled_images_belong_to_their_natural_feature() -> None:
    spec = replace(
        star(None),
        name="fork",
        kind="natural_feature",
        settings={"thing": "fork", "detector": "emoji-detector", "art": ("emoji/1f374",)},
    )
    recipe = replace(RECIPE, scenes=300, poison={"natural_feature": 4})
    made = assemble(EmojiScenes(natural=("fork",)), planted([spec]), recipe, 0, {})
    rows = made.rows
    assert (rows.poisons == 0).sum() == made.poisoned["fork"] > 0
    assert ((rows.poisons == 0) == rows.hard).all()
    assert (rows.labels[rows.poisons == 0] == 3).all()
    assert not (rows.clean & (rows.poisons == 0)).any(), "shown for the trojan, not as a clean image"
