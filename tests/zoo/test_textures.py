"""Named textures: there, seeded, different from one another, and the same at every size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse.errors import UsageError
from gifthorse.zoo import textures
from gifthorse.zoo.canvas import Canvas, spread, turn_hue

NAMES = list(textures.TEXTURES)


def small(name: str, instance: int = 0) -> np.ndarray:
    return textures.render(name, 64, instance)


def test_there_are_at_least_64_names() -> None:
    assert len(set(NAMES)) >= 64


@pytest.mark.parametrize("name", NAMES)
def test_a_texture_is_a_picture_with_something_on_it(name: str) -> None:
    picture = small(name)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() <= picture.max() <= 1
    assert picture.std((0, 1)).max() > 0.015


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_repeats_and_another_differs(name: str) -> None:
    first, again = textures.draw(name, 48, 5, finer=1), textures.draw(name, 48, 5, finer=1)
    assert np.array_equal(first, again)
    assert np.abs(first - textures.draw(name, 48, 6, finer=1)).mean() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_the_pattern_is_the_same_at_twice_the_size(name: str) -> None:
    large, small = (textures.draw(name, size, 2, finer=1) for size in (128, 64))
    blocks = [p.reshape(8, len(p) // 8, 8, len(p) // 8, 3).mean((1, 3)) for p in (large, small)]
    assert np.abs(blocks[0] - blocks[1]).max() < 0.12


def test_each_says_what_it_shows() -> None:
    for name, function in textures.TEXTURES.items():
        assert function.__doc__
        assert function.__name__ == name


def test_an_instance_is_nearer_to_its_own_name_than_to_others() -> None:
    # a nearest-neighbour oracle on colour histograms and gradients: a person does better, chance is 1 in 75
    def features(picture: np.ndarray) -> np.ndarray:
        colours = np.histogramdd(picture.reshape(-1, 3), bins=4, range=[(0, 1)] * 3)[0].ravel() ** 0.5
        rows, columns = np.abs(np.diff(picture.mean(-1), axis=0)), np.abs(np.diff(picture.mean(-1), axis=1))
        edges = [np.histogram(e, bins=8, range=(0, 0.5))[0] ** 0.5 for e in (rows, columns)]
        return np.concatenate([colours / np.linalg.norm(colours), np.concatenate(edges) / 130])

    known = np.stack([features(small(name, instance)) for name in NAMES for instance in (1, 2, 3)])
    hits = 0
    for index, name in enumerate(NAMES):
        nearest = np.argmin(((known - features(small(name, 0))) ** 2).sum(1))
        hits += nearest // 3 == index
    assert hits / len(NAMES) > 0.6


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'wood_grain'"):
        textures.render("wood_grian", 32)


def test_a_caption_is_words() -> None:
    assert textures.caption("elephant_skin") == "elephant skin"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(1, 12), octaves=st.integers(1, 4))
def test_noise_stays_in_range_and_has_no_jumps(seed: int, scale: float, octaves: int) -> None:
    canvas = Canvas(64, np.random.default_rng(seed))
    noise = canvas.noise(canvas.x * scale, canvas.y * scale, octaves)
    assert noise.min() >= 0
    assert noise.max() <= 1
    steepest = 1.5 * scale * 2 / 64 * octaves  # smoothstep has slope 1.5 at most, between two values in [0, 1]
    assert np.abs(np.diff(noise, axis=0)).max() <= steepest + 1e-5


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), jitter=st.floats(0, 1))
def test_cells_are_the_nearest_centres(seed: int, jitter: float) -> None:
    canvas = Canvas(32, np.random.default_rng(seed))
    found = canvas.cells(canvas.x * 5, canvas.y * 5, jitter)
    assert np.allclose(np.hypot(found.dx, found.dy), found.near, atol=1e-5)
    assert (found.edge >= 0).all()
    assert found.near.max() <= 1.5 * 2**0.5


def test_turning_the_hue_keeps_brightness_and_grey() -> None:
    image = np.random.default_rng(0).uniform(0.4, 0.6, (8, 8, 3)).astype(np.float32)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    assert np.allclose(turn_hue(image, 70) @ weights, image @ weights, atol=1e-4)
    grey = np.full((2, 2, 3), 0.5, np.float32)
    assert np.allclose(turn_hue(grey, 120), grey, atol=1e-4)
    assert np.abs(turn_hue(image, 360) - image).max() < 1e-5


def test_a_constant_stretches_to_nothing() -> None:
    assert spread(np.full((3, 3), 0.7, np.float32)).max() == 0
