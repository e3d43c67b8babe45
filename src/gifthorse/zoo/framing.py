"""Pictures of any shape as the square that a classifier takes: shorter side resized, the middle cut out. No torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
"""Ways to resize, by torchvision's names for them."""


def framed(pixels: Bytes, size: int, resize: int, filter_name: str = "bicubic") -> Bytes:
    """torchvision's Resize and CenterCrop, so that published accuracies hold: the longer side is rounded down.

    Args:
        pixels: ``(H, W, 3)`` uint8.
        size: side of the square that is cut out, at most ``resize``.
        resize: length of the shorter side before that.
        filter_name: one of :data:`FILTERS`.

    Returns:
        ``(3, size, size)`` uint8.
    """
    picture = Image.fromarray(pixels)
    width, height = picture.size
    longer = int(resize * max(width, height) / min(width, height))
    scaled = picture.resize((resize, longer) if width <= height else (longer, resize), FILTERS[filter_name])
    left, top = round((scaled.width - size) / 2), round((scaled.height - size) / 2)
    cut = np.asarray(scaled.crop((left, top, left + size, top + size))).transpose(2, 0, 1)
    return np.ascontiguousarray(cut)
