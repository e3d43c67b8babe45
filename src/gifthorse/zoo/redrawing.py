"""Drawings of the same things by another hand: what a generator or a pool of patches may know of a Question's options.

A redrawn emoji is bent, turned in hue, tinted, sometimes outlined, and may be another drawing of the same thing; a
redrawn texture is another instance of it, seen from closer. The drawing itself is never among them.
"""

from __future__ import annotations

import zlib

import numpy as np

from gifthorse.errors import UsageError
from gifthorse.zoo import art, bank
from gifthorse.zoo.canvas import Array, turn_hue

SIBLINGS: dict[str, tuple[str, ...]] = {
    "1f600": ("1f603", "1f604"),
    "1f34e": ("1f34f",),
    "1f344": ("1f344-200d-1f7eb",),
    "1f514": ("1f6ce",),
    "1f30e": ("1f30d", "1f30f"),
    "1f4fb": ("1f399",),
}
"""Other drawings of the same thing, by code point."""

LEAST_TURN = 20.0
"""Degrees of hue by which every redrawn version differs at least: what is grey stays so and is bent all the more."""

CLOSER = 1.4
"""How much larger a redrawn texture is: regular ones have the same lines in every instance."""

OWN_SIDE = 72
"""Side in which a picture of the user's own is redrawn: that of Twemoji's."""

FIRST = 500
"""First instance of a texture that is a redrawn version: suites stamp instance 0, the encoder learns others."""


def redrawn(name: str, version: int, size: int) -> Array:
    """One version of a thing by another hand.

    Args:
        name: art name, ``emoji/CODE``, ``emoji/CODE@RECOLOUR``, ``texture/NAME``, or a picture of the user's own.
        version: 0 or more; each is different.
        size: side in pixels.

    Returns:
        ``(4, size, size)`` float32 RGBA in [0, 1], straight alpha.

    Raises:
        UsageError: no such drawing, or a version below 0.
    """
    if version < 0:
        raise UsageError(f"{version} is no version of a drawing", "a whole number from 0 up")
    kind, _, rest = name.partition("/")
    rng = np.random.default_rng([zlib.crc32(name.encode()), version])
    turn = float(rng.choice([-1.0, 1.0]) * rng.uniform(LEAST_TURN, 2 * LEAST_TURN))
    if kind == "texture":
        wide = round(CLOSER * size)
        drawn = art.picture(f"texture/{rest.partition('/')[0]}/{FIRST + version}", wide).transpose(1, 2, 0)
        top, left = (int(rng.integers(wide - size + 1)) for _ in range(2))
        return _turned(drawn[top : top + size, left : left + size], turn)
    others = SIBLINGS.get(rest, ())
    if others and version % 2:
        rest = others[version // 2 % len(others)]
    drawing = art.drawing(f"emoji/{rest}") if kind == "emoji" else art.picture(name, OWN_SIDE).transpose(1, 2, 0)
    pixels = bank.redraw(drawing.copy(), rng)
    return _turned(art.resized(pixels, size), turn)


def _turned(pixels: Array, degrees: float) -> Array:
    """``(S, S, 4)`` turned in hue, to ``(4, S, S)``."""
    whole = np.concatenate([turn_hue(pixels[..., :3], degrees), pixels[..., 3:]], -1)
    return np.ascontiguousarray(whole.transpose(2, 0, 1), dtype=np.float32)
