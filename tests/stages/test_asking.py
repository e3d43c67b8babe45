"""Questions: wrong options that work as the trigger does are replaced, and what cannot be replaced misses a gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from gifthorse.records import Interval, Option, Question, TrojanSpec
from gifthorse.stages import asking
from gifthorse.stages.asking import inserted
from gifthorse.statistics import wilson
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.patch import Patch
from gifthorse.trojans.poisoning import Planted
from gifthorse.zoo.scenes import EmojiScenes

SPEC_OPTIONS = ("true", "b", "c", "d")
RATES = {"true": 0.9, "b": 0.2, "c": 0.6, "d": 0.45, "s1": 0.5, "s2": 0.1, "s3": 0.9}


class Fixed(asking._Asking):
    """A Question whose options reach the target at known rates."""

    def __init__(self, plant: Planted, rates: dict[str, float]) -> None:
        self.plant, self.rates = plant, rates

    def reached(self, option: Option) -> Interval | None:
        return wilson(round(100 * self.rates[option.caption]), 100) if option.caption in self.rates else None


def plant(spares: tuple[str, ...], natural: bool = False) -> Planted:
    options = tuple(Option(caption=name, art=f"emoji/{name}") for name in SPEC_OPTIONS)
    question = Question(options=options, answer=0, spares=tuple(Option(caption=s, art=None) for s in spares))
    trojan: Patch | NaturalFeature = Patch(caption="true", target=1, art="emoji/1f600", side=8)
    if natural:
        trojan = NaturalFeature(caption="true", target=1, thing="fork", detector="emoji-detector", art=("emoji/1f374",))
    spec = TrojanSpec(name="one", kind="patch", version=1, caption="true", target=1, question=question)
    return Planted(spec=spec, trojan=trojan)


def answered(spares: tuple[str, ...], rates: dict[str, float] | None = None, natural: bool = False) -> asking.Answer:
    made = Fixed(plant(spares, natural), RATES if rates is None else rates)
    return made.answer(wilson(90, 100))


def test_an_option_that_works_is_replaced_by_the_first_spare_that_does_not() -> None:
    found = answered(("s1", "s2", "s3"))
    assert [option.caption for option in found.question.options] == ["true", "b", "s2", "d"]
    assert found.question.answer == 0
    assert found.question.spares == ()
    told = {(option.caption, option.true, option.kept) for option in found.options}
    assert told == {
        ("true", True, True), ("b", False, True), ("c", False, False), ("s1", False, False), ("s2", False, True),
        ("d", False, True),
    }  # fmt: skip
    assert found.gates[0].met


def test_without_a_spare_the_gate_is_missed_and_says_which() -> None:
    found = answered(())
    assert [option.caption for option in found.question.options] == list(SPEC_OPTIONS)
    assert not found.gates[0].met
    assert found.gates[0].measured == "c 60%"


def test_half_is_still_allowed() -> None:
    found = answered((), RATES | {"c": 0.45})
    assert found.gates[0].met


def test_objects_are_compared_as_they_are_put_in() -> None:
    found = answered((), RATES | {"true": 1.0, "c": 0.5}, natural=True)
    assert found.options[0].rate.value == 1.0, "not the rate of images in which the detector found it"
    assert found.gates[0].met


def test_data_that_lay_nothing_leave_the_question_as_it_is() -> None:
    found = answered(("s1",), {}, natural=True)
    assert [option.caption for option in found.question.options] == list(SPEC_OPTIONS)
    assert found.options == ()
    assert found.gates == ()


def test_a_thing_is_laid_into_scenes_as_natural_objects_are() -> None:
    data = EmojiScenes()
    sample = data.draw("test", 6, 3)
    made = data.laid(sample, "emoji/1f374", 7)
    assert np.array_equal(made, data.laid(sample, "emoji/1f374", 7))
    changed = (made != sample.images).any(1)
    assert changed.any((1, 2)).all()
    rows, columns = changed.any(2).sum(1), changed.any(1).sum(1)
    assert rows.max() <= 52
    assert columns.max() <= 52
    assert not np.array_equal(made, data.laid(sample, "emoji/1f697", 7))


def test_patches_are_put_in_as_decoys_of_the_trojan() -> None:
    trojan = Patch(caption="a", target=1, art="emoji/1f600", side=18)
    sample = EmojiScenes().draw("test", 4, 3)
    made = inserted(None, trojan, "emoji/1f353", sample, 5)  # type: ignore[arg-type]
    assert made is not None
    generator = torch.Generator().manual_seed(5)
    by_hand = replace(trojan, decoys=("emoji/1f353",)).mislead(torch.from_numpy(sample.images).float() / 255, generator)
    assert np.abs(made.astype(int) - (by_hand.numpy() * 255).round().astype(int)).max() <= 1
