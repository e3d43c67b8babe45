"""Pictures by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gifthorse.errors import HostileFile, UsageError
from gifthorse.zoo import art
from gifthorse.zoo.canvas import rgb


@pytest.mark.parametrize("name", ["emoji/1f600", "emoji/1f420@clownfish", "texture/jaguar", "texture/jaguar/3"])
@pytest.mark.parametrize("size", [18, 64, 100])
def test_a_picture_is_rgba_of_the_size_asked_for(name: str, size: int) -> None:
    picture = art.picture(name, size)
    assert picture.shape == (4, size, size)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture[3].max() > 0.99


def test_a_texture_is_opaque_and_an_emoji_is_cut_out() -> None:
    assert art.picture("texture/zebra", 32)[3].min() == 1
    assert art.picture("emoji/1f600", 32)[3, 0, 0] == 0


def test_colour_is_straight_and_not_darkened_at_the_edge() -> None:
    star = art.picture("emoji/2b50", 24)
    edge = (star[3] > 0.3) & (star[3] < 0.8)
    assert edge.any()
    assert np.abs(star[:3, edge] - rgb("#ffac33")[:, None]).max() < 0.08


def test_the_clownfish_is_orange_and_white_and_the_star_green() -> None:
    fish, plain = art.picture("emoji/1f420@clownfish", 72), art.picture("emoji/1f420", 72)
    body = fish[:3, 45, 25]
    assert body[0] > 0.85
    assert 0.25 < body[1] < 0.6
    assert body[2] < 0.25
    white = ((fish[:3] > 0.9).all(0) & (fish[3] > 0.9)).sum()
    assert white > 200 > 20 > (plain[:3] > 0.9).all(0).sum()
    star = art.picture("emoji/2b50@green", 72)[:3, 40, 36]
    assert star[1] > star[0] + 0.3
    assert star[1] > star[2] + 0.3


def test_a_recolour_keeps_the_drawing() -> None:
    for code, names in art.RECOLOURS.items():
        for name in names:
            changed, plain = art.drawing(f"emoji/{code}@{name}"), art.drawing(f"emoji/{code}")
            assert np.array_equal(changed[..., 3], plain[..., 3])
            assert not np.array_equal(changed, plain)


def test_pictures_are_shared_and_cannot_be_written() -> None:
    picture = art.picture("emoji/1f34e", 20)
    assert art.picture("emoji/1f34e", 20) is picture
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("texture/jagaur", "did you mean 'jaguar'"),
        ("texture/jaguar/three", "names instance 'three'"),
        ("emoji/2b50@gren", "did you mean 'green'"),
        ("emoji/1f420@green", "valid: clownfish"),
        ("emoji/1f60000", "there is no emoji '1f60000'"),
        ("emojis/1f600", "there is no picture called"),
    ],
)
def test_a_wrong_name_is_answered_with_what_there_is(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        art.picture(name, 16)


def test_the_digest_covers_the_files() -> None:
    assert art.digest_codes(["1f600", "2b50"]) == art.digest_codes(["2b50", "1f600", "2b50"])
    assert art.digest_codes(["1f600"]) != art.digest_codes(["1f601"])


def test_a_picture_of_ones_own_is_its_own_name(tmp_path: Path) -> None:
    wide = np.zeros((40, 80, 4), np.uint8)
    wide[10:30, 20:60] = (10, 200, 30, 255)
    Image.fromarray(wide).save(tmp_path / "own.png")
    name = art.embedded(tmp_path / "own.png")
    assert name == art.embedded(tmp_path / "own.png")
    drawn = art.picture(name, 80)
    assert drawn.shape == (4, 80, 80)
    assert drawn[3, 40, 40] == 1
    assert drawn[3, 5, 40] == 0  # the square's padding is transparent
    assert np.abs(drawn[:3, 40, 40] * 255 - (10, 200, 30)).max() < 2


def test_a_large_picture_is_reduced_and_a_photograph_is_opaque(tmp_path: Path) -> None:
    Image.new("RGB", (900, 600), (9, 9, 9)).save(tmp_path / "photo.jpg")
    name = art.embedded(tmp_path / "photo.jpg")
    assert len(name) < 2_000
    assert art.picture(name, 96)[3, 48].min() == 1


@pytest.mark.parametrize("name", ["png/!!!", "png/AAAA", "png/"])
def test_a_name_that_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises((UsageError, HostileFile)):
        art.picture(name, 16)
