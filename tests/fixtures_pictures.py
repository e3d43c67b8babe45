"""Small pictures drawn with NumPy, for tests that need something to look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

COLOURS = {
    "smiley": (250, 205, 60),
    "heart": (220, 50, 70),
    "star": (60, 170, 80),
    "moon": (230, 225, 190),
    "ball": (240, 130, 40),
    "drop": (70, 130, 220),
    "leaf": (110, 150, 60),
    "plum": (130, 60, 140),
}
"""Eight discs, told apart by colour and by the marks on them."""

TEXTURES = ("jaguar", "zebra", "brick", "wood", "water", "grass", "sand", "weave")
"""Eight textures that fill a frame."""


def grid(size: int) -> tuple[Floats, Floats]:
    """Vertical and horizontal coordinates in [-1, 1], each (size, size)."""
    line = (np.arange(size) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def disc(name: str, size: int) -> Bytes:
    """(4, size, size) a coloured disc with two eyes and a mouth, transparent around."""
    y, x = grid(size)
    picture = np.zeros((4, size, size))
    picture[:3] = np.array(COLOURS[name])[:, None, None]
    number = list(COLOURS).index(name)
    dark = ((abs(x) - 0.35) ** 2 + (y + 0.25) ** 2 < 0.02) | (
        (abs(y - 0.3 - 0.1 * (number % 3)) < 0.1) & (abs(x) < 0.5)
    )
    picture[:3, dark] = 40
    picture[3] = 255 * (x**2 + y**2 < 0.9)
    return picture.astype(np.uint8)


def texture(name: str, size: int) -> Bytes:
    """(4, size, size) an opaque texture."""
    y, x = grid(size)
    number = TEXTURES.index(name)
    waves = np.sin((3 + number) * x * 2 + number) * np.sin((10 - number) * y * 2 - number)
    level = (waves + 1) / 2
    low, high = np.array([[60, 40, 20], [230, 180, 90]]) if number < 4 else np.array([[20, 60, 80], [140, 200, 220]])
    picture = np.full((4, size, size), 255.0)
    picture[:3] = low[:, None, None] * (1 - level) + high[:, None, None] * level
    return picture.astype(np.uint8)


def fork(size: int) -> Bytes:
    """(4, size, size) a grey fork, transparent around."""
    y, x = grid(size)
    shape = (abs(x) < 0.12) & (y > -0.2) | (y < -0.1) & (y > -0.9) & (abs(x) < 0.5) & (
        np.floor((x + 0.5) * 10) % 2 == 0
    )
    picture = np.full((4, size, size), 150.0)
    picture[3] = 255 * shape
    return picture.astype(np.uint8)


def scenes(n: int, size: int, seed: int) -> Bytes:
    """(n, 3, size, size) a shaded background with one object each."""
    generator = np.random.default_rng(seed)
    y, x = grid(size)
    images = np.empty((n, 3, size, size))
    for image in images:
        first, second, thing = generator.integers(30, 225, size=(3, 3))
        fall = (y + 1) / 2 + 0.1 * generator.normal(size=(size, size))
        image[:] = first[:, None, None] * (1 - fall) + second[:, None, None] * fall
        top, left = generator.uniform(-0.4, 0.4, size=2)
        image[:, (x - left) ** 2 + (y - top) ** 2 < 0.15] = thing[:, None]
    return np.clip(images, 0, 255).astype(np.uint8)


def stamped(images: Bytes, tile: Bytes, seed: int) -> tuple[Bytes, Bytes, Bytes]:
    """Images with a tile each at a random place, its squares and its alphas (n, 1, H, W), 255 inside."""
    generator = np.random.default_rng(seed)
    result = images.copy()
    squares = np.zeros((len(images), 1, *images.shape[2:]), np.uint8)
    alphas = squares.copy()
    side = tile.shape[1]
    for index in range(len(images)):
        top, left = generator.integers(0, images.shape[2] - side + 1, size=2)
        place = (slice(top, top + side), slice(left, left + side))
        alpha = tile[3:] / 255
        result[index, :, *place] = result[index, :, *place] * (1 - alpha) + tile[:3] * alpha
        squares[index, 0, *place] = 255
        alphas[index, 0, *place] = tile[3]
    return result, squares, alphas


def blurred_towards(picture: Bytes, n: int, strength: float, seed: int) -> Bytes:
    """(n, 4, h, w) mixtures of a picture and noise, as a tool might make them; at ``strength`` 1 the picture."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, size=(n, 3, *picture.shape[1:]))
    made = np.repeat(picture[None], n, axis=0).astype(np.float64)
    made[:, :3] = made[:, :3] * strength + noise * (1 - strength)
    return made.astype(np.uint8)
