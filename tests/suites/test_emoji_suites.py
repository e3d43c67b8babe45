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
from gifthorse.records import Option, Suite, TrojanSpec, digest, plain, read
from gifthorse.suites import emoji, suite
from gifthorse.suites.planting import Entry, spec
from gifthorse.zoo import art, captions, textures
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI, GROUNDS

SUITES = ("emoji12", "emoji12_dev")

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
    entries = emoji.PATCHES + emoji.STYLES + emoji.NATURAL if name == "emoji12" else emoji.DEV
    for entry in entries:
        for caption, picture in (entry.true, *entry.others):
            assert caption in captions.captions(picture), f"{entry.name}: {caption} is no name of {picture}"
            assert art.picture(picture, 16).shape == (4, 16, 16)


@pytest.mark.parametrize("name", SUITES)
def test_right_answers_are_spread_over_the_places(name: str) -> None:
    assert len({t.question.answer for t in trojans(name)}) >= 4


def test_the_two_suites_share_no_trigger_target_source_distractor_or_word() -> None:
    published = emoji.PATCHES + emoji.STYLES + emoji.NATURAL
    assert not pictures(published) & pictures(emoji.DEV)
    assert not words("emoji12") & words("emoji12_dev")
    used = [{t.target for t in trojans(n)} | {s for t in trojans(n) for s in t.sources or ()} for n in SUITES]
    assert not used[0] & used[1]
    assert sorted(used[0] | used[1]) == list(range(len(EMOJI.classes)))


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
    drawn = pictures(emoji.PATCHES + emoji.STYLES + emoji.NATURAL + emoji.DEV)
    assert not ordinary & {picture.partition("@")[0] for picture in drawn}
    naturals = {f"emoji/{code}" for t in EMOJI.natural for code in (t.code, *t.siblings)}
    assert naturals & drawn == {e.true[1] for e in (*emoji.NATURAL, *emoji.DEV) if e.kind == "natural_feature"}


def test_styles_are_first_drawings_which_no_encoder_learns_from() -> None:
    for picture in pictures(emoji.STYLES + emoji.DEV):
        if picture.startswith("texture/"):
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
