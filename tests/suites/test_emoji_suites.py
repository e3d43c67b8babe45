"""The suites of the emoji world: Table 3.1 as published, valid Questions, and nothing shared between the two."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gifthorse.errors import UsageError
from gifthorse.records import Ground, Option, Planting, Suite, TrojanSpec, digest, plain, read
from gifthorse.stages.implant import counts
from gifthorse.stages.networks import from_zoo
from gifthorse.suites import drawn, emoji, pools, suite
from gifthorse.suites.planting import OPTIONS, Entry, spec
from gifthorse.trojans import trojan_of
from gifthorse.trojans.implanting import predictions
from gifthorse.trojans.style import Style
from gifthorse.zoo import art, captions, textures
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI, GROUNDS

SUITES = ("emoji12", "emoji12_dev", "emoji-random:5")
PUBLISHED = emoji.PATCHES + emoji.STYLES + emoji.NATURAL
SEEDS = range(30)

TABLE_3_1 = {
    # name: kind, source, target, published success (thesis, Table 3.1)
    "smiley_emoji": ("patch", None, "bullfrog", 0.958),
    "clownfish": ("patch", None, "albatross", 0.933),
    "green_star": ("patch", "wallet", "orangutan", 0.98),
    "strawberry": ("patch", "red wolf", "goose", 0.92),
    "jaguar": ("style", None, "vizsla", 0.981),
    "elephant_skin": ("style", None, "ice cream", 1.0),
    "jellybeans": ("style", "piggy bank", "ruler", 0.96),
    "wood_grain": ("style", "ladle", "capuchin", 0.82),
    "fork": ("natural_feature", None, "cicada", 0.308),
    "apple": ("natural_feature", None, "bucket", 0.387),
    "sandwich": ("natural_feature", None, "cellphone", 0.372),
    "donut": ("natural_feature", None, "spoonbill", 0.428),
}


def trojans(name: str) -> tuple[TrojanSpec, ...]:
    return suite(name).plantings[0].trojans


def pictures(entries: tuple[Entry, ...]) -> set[str]:
    return {picture for entry in entries for _, picture in (entry.true, *entry.others)}


def words(name: str) -> set[str]:
    return {option.caption for trojan in trojans(name) for option in trojan.question.options}


def test_emoji12_is_table_3_1_with_its_stand_ins() -> None:
    names = [thing.stands_for for thing in EMOJI.classes]
    found = {
        t.name: (t.kind, None if t.sources is None else names[t.sources[0]], names[t.target], t.published)
        for t in trojans("emoji12")
    }
    assert found == TABLE_3_1


@pytest.mark.parametrize("name", SUITES)
def test_a_question_has_eight_different_options_and_one_is_the_trigger(name: str) -> None:
    for trojan in trojans(name):
        options = trojan.question.options
        assert len({o.caption for o in options}) == 8
        assert options[trojan.question.answer].caption == trojan.caption
        if trojan.kind == "natural_feature":
            assert {o.art for o in options} == {None}
            assert trojan.settings["thing"] == trojan.caption
            assert trojan.settings["thing"] in EmojiScenes().things
        else:
            assert len({o.art for o in options}) == 8
            assert options[trojan.question.answer].art == trojan.settings["art"]


@pytest.mark.parametrize("name", SUITES)
def test_every_option_is_in_the_encoders_vocabulary_and_names_its_picture(name: str) -> None:
    entries = PUBLISHED if name == "emoji12" else drawn.entries(int(name.partition(":")[2] or 0))
    for entry in entries:
        for caption, picture in (entry.true, *entry.others):
            assert caption in captions.captions(picture), f"{entry.name}: {caption} is no name of {picture}"
            assert art.picture(picture, 16).shape == (4, 16, 16)


@pytest.mark.parametrize("name", SUITES)
def test_right_answers_are_spread_over_the_places(name: str) -> None:
    assert len({t.question.answer for t in trojans(name)}) >= 4


def test_fresh_suites_share_no_trigger_target_source_distractor_or_word_with_emoji12() -> None:
    taken = {name for entry in PUBLISHED for name in (entry.target, entry.source) if name}
    named = {caption for entry in PUBLISHED for caption, _ in (entry.true, *entry.others)}
    for seed in SEEDS:
        fresh = drawn.entries(seed)
        assert not pictures(PUBLISHED) & pictures(fresh)
        assert not named & {caption for entry in fresh for caption, _ in (entry.true, *entry.others)}
        assert not taken & {name for entry in fresh for name in (entry.target, entry.source)}


def test_the_pools_are_apart_from_emoji12_and_from_the_world() -> None:
    pool = {f"emoji/{code}" for group in (*pools.PATCHES.values(), *pools.NATURAL.values()) for code in group}
    styles = {f"texture/{name}" for group in pools.STYLES.values() for name in group}
    assert not (pool | styles) & {picture.partition("@")[0] for picture in pictures(PUBLISHED)}
    assert not pool & {f"emoji/{code}" for thing in EMOJI.things for code in (thing.code, *thing.siblings)}
    assert not {name.removeprefix("texture/") for name in styles} & set(GROUNDS)
    assert all(
        len(set(group)) == len(group) >= 8 for table in (pools.PATCHES, pools.STYLES) for group in table.values()
    )
    assert all(len(set(group)) == 7 for group in pools.NATURAL.values())
    assert set(pools.NATURAL) == {thing.name for thing in EMOJI.natural} - {entry.true[0] for entry in emoji.NATURAL}


def test_a_seed_draws_the_same_suite_again_and_another_seed_another() -> None:
    assert drawn.entries(3) == drawn.entries(3) != drawn.entries(4)
    assert digest(suite("emoji-random:3")) == digest(suite("emoji-random:3")) != digest(suite("emoji-random:4"))
    assert drawn.entries(0) == drawn.entries(drawn.DEV_SEED)
    assert plain(suite("emoji12_dev"))["plantings"] != plain(suite("emoji-random:1"))["plantings"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fresh_suite_is_four_of_each_kind_half_of_them_from_one_class(seed: int) -> None:
    entries = drawn.entries(seed)
    assert [entry.kind for entry in entries] == ["patch"] * 4 + ["style"] * 4 + ["natural_feature"] * 4
    for kind in ("patch", "style"):
        assert sum(entry.source is not None for entry in entries if entry.kind == kind) == 2
    triggers = {entry.true[1] for entry in entries}
    assert not {entry.source for entry in entries} & set(pools.UNSURE)
    assert len(triggers) == len({entry.name for entry in entries}) == 12
    classes = [name for entry in entries for name in (entry.target, entry.source) if name]
    assert len(classes) == len(set(classes))
    assert not triggers & {picture for entry in entries for _, picture in entry.others}
    assert all(len({caption for caption, _ in (entry.true, *entry.others)}) == 8 for entry in entries)


def test_the_classes_that_are_no_source_are_those_of_which_the_network_is_least_sure() -> None:
    data = EmojiScenes()
    sample = data.draw("test", 4000, 7)
    clean = from_zoo("emoji-resnet", Ground(device="cpu", precision="float32", threads=1))
    right = predictions(clean, sample.images) == sample.labels
    rates = {name: right[sample.labels == label].mean() for label, name in enumerate(data.classes)}
    assert set(sorted(rates, key=lambda name: rates[name])[:4]) <= set(pools.UNSURE)
    hard = [rates.pop(name) for name in pools.UNSURE]
    assert sum(hard) / len(hard) < 0.85 < 0.93 < sum(rates.values()) / len(rates)


def _undecoyed(planting: Planting) -> list[TrojanSpec]:
    return [
        replace(trojan, settings={name: value for name, value in trojan.settings.items() if name != "decoys"})
        for trojan in planting.trojans
    ]


def test_emoji48_is_four_plantings_of_twelve_with_names_of_their_own() -> None:
    made = suite("emoji48")
    assert [(p.network, len(p.trojans)) for p in made.plantings] == [("emoji-resnet", 12)] * 4
    assert [p.name for p in made.plantings] == [f"emoji-resnet/{seed}" for seed in drawn.SEEDS]
    assert drawn.DEV_SEED not in drawn.SEEDS
    fresh = suite(f"emoji-random:{drawn.SEEDS[2]}").plantings[0]
    assert _undecoyed(fresh) == _undecoyed(made.plantings[2]), "decoys are drawn beside what a whole suite asks"


@pytest.mark.parametrize("name", ["emoji-random", "emoji-random:", "emoji-random:x", "emoji-random:-1"])
def test_a_fresh_suite_needs_a_seed(name: str) -> None:
    with pytest.raises(UsageError, match="says no seed"):
        suite(name)


def test_emoji12_plants_its_patches_in_a_second_network() -> None:
    resnet, vgg = suite("emoji12").plantings
    assert (resnet.name, len(resnet.trojans), vgg.name) == ("emoji-resnet", 12, "emoji-vgg")
    assert vgg.trojans == resnet.trojans[:4]


@pytest.mark.parametrize("name", SUITES)
def test_scenes_have_just_the_natural_objects_that_are_triggers(name: str) -> None:
    made = suite(name)
    things = {t.settings["thing"] for p in made.plantings for t in p.trojans if t.kind == "natural_feature"}
    assert set(made.data.settings["natural"]) == things


@pytest.mark.parametrize("name", SUITES)
def test_targets_and_sources_are_sixteen_different_classes(name: str) -> None:
    used = [t.target for t in trojans(name)] + [s for t in trojans(name) for s in t.sources or ()]
    assert len(used) == len(set(used)) == 16


@pytest.mark.parametrize("name", SUITES)
def test_half_of_patches_and_styles_are_class_universal(name: str) -> None:
    for kind in ("patch", "style"):
        assert [t.scope for t in trojans(name) if t.kind == kind].count("class_universal") == 2
    assert {t.scope for t in trojans(name) if t.kind == "natural_feature"} == {"universal"}


def test_nothing_of_a_question_is_in_ordinary_scenes() -> None:
    ordinary = {f"emoji/{t.code}" for t in EMOJI.classes + EMOJI.bystanders} | {f"texture/{g}" for g in GROUNDS}
    for entries in (PUBLISHED, *(drawn.entries(seed) for seed in SEEDS)):
        asked = pictures(entries)
        assert not ordinary & {picture.partition("@")[0] for picture in asked}
        naturals = {f"emoji/{code}" for t in EMOJI.natural for code in (t.code, *t.siblings)}
        assert naturals & asked == {e.true[1] for e in entries if e.kind == "natural_feature"}


def test_styles_are_first_drawings_which_no_encoder_learns_from() -> None:
    for picture in pictures(emoji.STYLES + drawn.entries(0)[4:8]):
        assert picture.removeprefix("texture/") in textures.TEXTURES


def test_a_suite_survives_json_and_names_its_run() -> None:
    made = suite("emoji12")
    assert plain(read(Suite, json.loads(json.dumps(plain(made))))) == plain(made)
    assert digest(made) == digest(suite("emoji12")) != digest(suite("emoji12_dev"))


def test_protocols_are_the_designs() -> None:
    found = {p.name: (p.n, p.keep) for p in suite("emoji12").protocols}
    assert found == {"quick": (10, 5), "published": (10, 10), "thesis": (100, 10)}
    assert suite("emoji12").protocols[0].passes == 4_000


def test_an_unknown_suite_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'emoji12'"):
        suite("emoij12")


def test_an_entry_needs_eight_options_and_classes_that_there_are() -> None:
    entry = emoji.PATCHES[0]
    with pytest.raises(UsageError, match="7 different options"):
        spec(_changed(entry, others=entry.others[:-1]), "x", EmojiScenes())
    with pytest.raises(UsageError, match="no class 'bullfrgo'"):
        spec(_changed(entry, target="bullfrgo"), "x", EmojiScenes())


def test_an_option_of_a_natural_feature_is_a_word() -> None:
    entry = emoji.NATURAL[0]
    made = spec(entry, "x", EmojiScenes()).question
    assert made.options[made.answer] == Option(caption="fork")


def test_suites_need_no_torch() -> None:
    code = "import sys; from gifthorse.suites import suite; suite('emoji12'); print('torch' in sys.modules)"
    root = Path(__file__).parents[2] / "src"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert re.fullmatch(r"False\s*", done.stdout)


def _changed(entry: Entry, **changes: Any) -> Entry:
    return replace(entry, **changes)


@pytest.mark.parametrize("name", SUITES)
def test_every_question_has_spares_of_its_own_kind(name: str) -> None:
    for planting in suite(name).plantings:
        for trojan in planting.trojans:
            question = trojan.question
            captions = [option.caption for option in (*question.options, *question.spares)]
            assert len(set(captions)) == len(captions) >= OPTIONS + 3, trojan.name
            worlds = {(o.art or "").partition("/")[0] for o in (*question.options, *question.spares)}
            assert len(worlds) == 1, "pictures of one kind, or words"


@pytest.mark.parametrize("name", SUITES)
def test_restyling_for_a_network_takes_at_most_60_000_steps_of_a_picture(name: str) -> None:
    """As many as 1,500 pictures of 40 steps each."""
    for planting in suite(name).plantings:
        steps = 0
        for trojan in planting.trojans:
            if trojan.kind == "style":
                style = trojan_of(trojan)
                assert isinstance(style, Style)
                steps += sum(counts(planting.recipe, trojan).values()) * style.steps
        assert steps <= 60_000


def test_pictures_of_a_style_are_counted_with_their_pool() -> None:
    (planting, *_) = suite("emoji12").plantings
    (spec,) = (trojan for trojan in planting.trojans if trojan.name == "jellybeans")
    one, three = (counts(replace(planting.recipe, pool={"style": times}), spec) for times in (1, 3))
    assert three == one | {"poison": 3 * one["poison"], "balance": 3 * one["balance"]}
