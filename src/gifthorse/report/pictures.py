"""Pictures for the page: arrays to small WebP or PNG files inside ``data:`` addresses, and colours for heat maps.

``(C, H, W)`` uint8, C = 1 grey, 3 RGB or 4 RGBA with straight alpha. The same array gives the same bytes.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from gifthorse.records import Images
from gifthorse.report.contexts import Picture
from gifthorse.report.words import visible
from gifthorse.store import Unit

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_STOPS = np.array([-1.0, -0.66, -0.33, 0.0, 0.33, 0.66, 1.0])
_COLOURS = np.array(
    [(214, 239, 255), (108, 172, 222), (40, 86, 140), (18, 18, 24), (142, 44, 40), (238, 132, 52), (255, 246, 200)]
)


def encode(pixels: Bytes, side: int) -> str:
    """A ``data:`` address of a picture, shrunk to ``side`` pixels where it is larger.

    PNG or WebP (quality 80), whichever is smaller.

    Args:
        pixels: ``(C, H, W)`` uint8.
        side: the most pixels in either direction.
    """
    image = _image(pixels)
    if max(image.size) > side:
        scale = side / max(image.size)
        width, height = (max(1, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    png, webp = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG", compress_level=9)
    image.save(webp, "WEBP", quality=80, method=3)
    name, data = min((("png", png.getvalue()), ("webp", webp.getvalue())), key=lambda pair: len(pair[1]))
    return f"data:image/{name};base64,{base64.b64encode(data).decode()}"


def _image(pixels: Bytes) -> Image.Image:
    if pixels.shape[0] == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def colour(values: Floats) -> Bytes:
    """A heat map ``(H, W)`` in [-1, 1] (clamped) as ``(3, H, W)``: black is 0, orange above, blue below."""
    clamped = np.clip(np.nan_to_num(values), -1, 1)
    return np.stack([np.interp(clamped, _STOPS, _COLOURS[:, c]) for c in range(3)]).round().astype(np.uint8)


def own_scale(values: Floats) -> float:
    """The 99th percentile of a map's absolute values: what each map is divided by before it is clamped at 1.

    The thesis clamps its normalised maps at 1 (caption of Figure 4.1) and does not say by what they were divided; the
    percentile is our choice.
    """
    top = float(np.quantile(np.abs(np.nan_to_num(values)), 0.99))
    return top if top > 0 else float(np.abs(np.nan_to_num(values)).max()) or 1.0


def scale_bar(low: float) -> Bytes:
    """The colours from ``low`` to 1 as a picture, ``(3, 1, 128)``."""
    return colour(np.linspace(low, 1, 128, dtype=np.float32)[None])


@dataclass
class Album:
    """Makes the page's pictures, and leaves out the data's own images where it is told to.

    Attributes:
        side: the most pixels of a picture.
        inputs: whether images of the data may be shown.
        count: pictures made so far.
        bytes: the length of their addresses.
    """

    side: int
    inputs: bool
    count: int = 0
    bytes: int = 0
    _sets: dict[tuple[str, str], Bytes] = field(default_factory=dict)
    _made: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def stored(self, unit: Unit, images: Images, index: int, alt: str, width: int, *, private: bool = False) -> Picture:
        """One image of a unit.

        Args:
            unit: that holds it.
            images: the set that it is in.
            index: in the set.
            alt: what it shows.
            width: about how wide it is to be, in CSS pixels.
            private: whether it is an image of the data, which ``inputs=False`` leaves out.
        """
        place = f"{unit.kind} {unit.key[:12]}, {images.file}, image {index}"
        if private and not self.inputs:
            return missing(alt, width, round(width * images.height / max(1, images.width)), place)
        pixels = self.array(unit, images)[index]
        name = (unit.key, images.file, index)
        if name not in self._made:
            self._made[name] = encode(pixels, self.side)
        return self._frame(self._made[name], pixels, alt, width, place)

    def drawn(self, pixels: Bytes, alt: str, width: int, place: str) -> Picture:
        """A picture that the page itself colours, a heat map or a mask."""
        return self._frame(encode(pixels, self.side), pixels, alt, width, place)

    def array(self, unit: Unit, images: Images) -> Bytes:
        """A set of images, read once."""
        name = (unit.key, images.file)
        if name not in self._sets:
            self._sets[name] = unit.images(images)
        return self._sets[name]

    def _frame(self, src: str, pixels: Bytes, alt: str, width: int, place: str) -> Picture:
        self.count += 1
        self.bytes += len(src)
        channels, high, wide = pixels.shape
        factor = max(1, round(width / wide))
        shown = wide * factor if wide <= width * 1.34 else width
        return Picture(
            src=src,
            alt=visible(alt),
            width=shown,
            height=round(shown * high / wide),
            crisp=wide < shown,
            clear=channels == 4 and bool((pixels[3] < 250).any()),
            place=place,
        )


def missing(alt: str, width: int, height: int, place: str) -> Picture:
    """The place of a picture that is left out."""
    return Picture(src="", alt=visible(alt), width=width, height=height, crisp=False, clear=False, place=place)
