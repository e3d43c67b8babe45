from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gifthorse.errors import UsageError
from gifthorse.records import Suite
from gifthorse.suites.drawn import emoji12_dev
from gifthorse.suites.emoji import emoji12
from gifthorse.zoo import art, captions, textures
from gifthorse.zoo.encoder_batches import FIRST_INSTANCE


def test_every_item_has_a_drawing_and_a_caption() -> None:
    for name in captions.items():
        assert captions.captions(name), name
        assert captions.captions(name) == tuple(dict.fromkeys(captions.captions(name)))
        if name.startswith("emoji/"):
            assert name.removeprefix("emoji/").partition("@")[0] in art.codes()


def test_there_are_about_a_thousand_emoji_and_every_texture() -> None:
    names = captions.items()
    assert len(names) == len(set(names))
    assert 900 <= sum(name.startswith("emoji/") for name in names) <= 1100
    assert {f"texture/{name}" for name in textures.TEXTURES} <= set(names)
    assert {f"emoji/{code}@{new}" for code, news in art.RECOLOURS.items() for new in news} <= set(names)


def test_people_flags_and_symbols_are_left_out() -> None:
    for code in ("1f468", "1f44d", "1f1e9-1f1ea", "27a1", "1f17f", "1f550"):
        assert f"emoji/{code}" not in captions.items()
        with pytest.raises(UsageError, match=code):
            captions.captions(f"emoji/{code}")


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("emoji/1f369", "donut"),
        ("emoji/1f369", "doughnut"),
        ("emoji/1f374", "fork"),
        ("emoji/1f4f1", "cellphone"),
        ("emoji/1f600", "smiley"),
        ("emoji/1f420@clownfish", "clownfish"),
        ("emoji/1f420@clownfish", "orange and white clownfish"),
        ("emoji/2b50@green", "green star"),
        ("emoji/1f34f", "green apple"),
        ("texture/wood_grain", "wood grain"),
        ("texture/jaguar/3", "jaguar"),
        ("emoji/1f41d", "honeybee"),
        ("emoji/1f421", "blowfish"),
    ],
)
def test_people_s_own_words_are_there(name: str, caption: str) -> None:
    assert caption in captions.captions(name)
    assert caption in captions.vocabulary()


@pytest.mark.parametrize("suite", [emoji12(), emoji12_dev()], ids=lambda suite: suite.name)
def test_every_option_of_both_suites_is_in_the_vocabulary_and_held_out(suite: Suite) -> None:
    for planting in suite.plantings:
        for trojan in planting.trojans:
            assert trojan.caption in captions.vocabulary()
            for option in trojan.question.options:
                assert option.caption in captions.vocabulary(), option
                if option.art is not None:
                    assert option.caption in captions.captions(option.art)
                    assert int(option.art.split("/")[2:][0] if option.art.count("/") > 1 else 0) < FIRST_INSTANCE
            for name, value in trojan.settings.items():
                if isinstance(value, int) and "instance" in name:
                    assert value < FIRST_INSTANCE


def test_a_texture_leaves_its_bare_name_to_the_emoji_that_has_it() -> None:
    assert "tiger" in captions.captions("emoji/1f405")
    assert "tiger" not in captions.captions("texture/tiger")
    assert "tiger pattern" in captions.captions("texture/tiger")


def test_a_recoloured_emoji_is_told_from_the_plain_one() -> None:
    assert not set(captions.captions("emoji/2b50@green")) & set(captions.captions("emoji/2b50"))
    assert not set(captions.captions("emoji/1f420@clownfish")) & set(captions.captions("emoji/1f420"))


def test_captions_are_lower_case_words() -> None:
    for caption in captions.vocabulary():
        assert caption == caption.lower().strip()
        assert "_" not in caption
        assert "  " not in caption


def test_colour_words_are_noticed() -> None:
    assert captions.names_a_colour("emoji/1f34f")
    assert captions.names_a_colour("emoji/2b50@green")
    assert not captions.names_a_colour("emoji/1f369")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="wood_grain"):
        captions.captions("texture/woodgrain")


@given(st.text(string.ascii_lowercase + "/@0123456789", max_size=12))
def test_any_string_is_an_item_or_a_usage_error(name: str) -> None:
    if name in captions.items():
        assert captions.captions(name)
    elif name.partition("@")[0] not in captions.items():
        with pytest.raises(UsageError):
            captions.captions(name)
