"""Which Questions are valid: every option inserted as the trigger is, into the same images."""

from __future__ import annotations

import numpy as np
import torch

from gifthorse.jobs.questions import Reached, inserted, valid
from gifthorse.records import TrojanSpec
from gifthorse.statistics import wilson
from gifthorse.suites import suite
from gifthorse.zoo.scenes import EmojiScenes

SPECS = {trojan.name: trojan for trojan in suite("emoji12").plantings[0].trojans}


def option(caption: str, hits: int, true: bool = False) -> Reached:
    return Reached(network="net", trojan="fork", caption=caption, true=true, rate=wilson(hits, 100))


def test_a_distractor_may_reach_the_target_half_as_often_as_the_trigger() -> None:
    assert valid([option("fork", 60, True), option("car", 30), option("bowl", 0)]) == {("net", "fork"): []}
    assert valid([option("fork", 60, True), option("car", 31), option("bowl", 0)]) == {("net", "fork"): ["car"]}


def changed(spec: TrojanSpec, art: str) -> np.ndarray:
    sample = EmojiScenes(ground_count=16).draw("test", 6, 3)
    made = inserted(spec, art, sample, torch.Generator().manual_seed(1))
    assert made.shape == sample.images.shape
    assert made.dtype == np.uint8
    return np.asarray((made != sample.images).any(1))


def test_a_distractor_is_put_where_the_trigger_is() -> None:
    trigger = changed(SPECS["smiley_emoji"], "emoji/1f600")
    other = changed(SPECS["smiley_emoji"], "emoji/1f34b")
    assert (trigger & other).sum() / (trigger | other).sum() > 0.6
    assert trigger.sum((1, 2)).max() <= 18 * 18


def test_a_word_is_put_into_scenes_as_an_object() -> None:
    fork = changed(SPECS["fork"], "emoji/1f374")
    car = changed(SPECS["fork"], "emoji/1f697")
    for covered in (fork, car):
        assert (covered.sum((1, 2)) > 60).all()
        assert (covered.sum((1, 2)) < 40 * 40).all()


def test_a_style_is_stamped_with_the_other_texture() -> None:
    assert changed(SPECS["jaguar"], "texture/zebra").mean() > 0.9
