"""Patches on paper: a sheet to print and cut out, and what printing and photographing do to a patch, simulated.

Thesis 5.1.3 printed ten patches and photographed each beside nine objects. Without a printer the same path is walked in
numbers: the ink's gamut, a sheet that is not held straight, light from one side, a lens that is not sharp, JPEG. How
strong each is is our choice.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from gifthorse.images import blur, from_uint8, gaussian_noise, over, resize, to_uint8

DPI, A4 = 300, (210, 297)
"""Dots an inch of the sheet, and its size in millimetres."""

MILLIMETRES, MARGIN, CUT = 45, 15, 4
"""Side of a printed patch, the sheet's margin, and the length of a cutting mark, in millimetres."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """How strong each part of printing and photographing is.

    Attributes:
        ink: darkest and lightest value that paper shows; ``saturation`` is what is left of the colours'.
        tilt: largest shift of a corner, as a share of the patch's side.
        light: largest gain over the image, 1 +- light, and the same again as a slope across it.
        blur: largest standard deviation of the lens's blur, in pixels of an image of 64.
        noise: standard deviation of the sensor's noise.
        quality: lowest quality of the JPEG, up to 95.
    """

    ink: tuple[float, float] = (0.06, 0.94)
    saturation: float = 0.8
    tilt: float = 0.12
    light: float = 0.25
    blur: float = 0.6
    noise: float = 0.02
    quality: int = 70


def inked(pictures: Tensor, camera: Camera) -> Tensor:
    """Colours as ink shows them: ``(n, 4, h, w)`` to the same."""
    flat = over(pictures, 1.0)
    grey = flat.mean(1, keepdim=True)
    low, high = camera.ink
    printed = low + (high - low) * (grey + camera.saturation * (flat - grey))
    return torch.cat([printed.clamp(0, 1), torch.ones_like(printed[:, :1])], 1)


def photographed(images: Tensor, pictures: Tensor, side: int, camera: Camera, generator: torch.Generator) -> Tensor:
    """Images with a printed patch held into each of them: ``(N, 3, H, H)`` in [0, 1].

    Args:
        images: ``(N, 3, H, H)`` in [0, 1].
        pictures: ``(N, 4, h, w)``, one an image.
        side: of the patch in the image, in pixels, before it is tilted.
        generator: of places, tilts, light, blur, noise and quality, each image its own.
    """
    n, size = len(images), images.shape[-1]
    drawn = torch.rand(n, 14, generator=generator)
    printed = resize(inked(pictures, camera), side)
    room = (size - side * (1 + 2 * camera.tilt)) / 2
    middle = (drawn[:, :2] * 2 - 1) * max(0.0, room) + size / 2
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * side / 2
    shifts = (drawn[:, 2:10].view(n, 4, 2) * 2 - 1) * camera.tilt * side
    layer = _laid(printed, middle[:, None] + corners[None] + shifts, size)
    held = layer[:, :3] + images * (1 - layer[:, 3:])
    line = torch.linspace(-1, 1, size)
    angle = 2 * math.pi * drawn[:, 10]
    slope = angle.cos()[:, None, None] * line[None, None] + angle.sin()[:, None, None] * line[None, :, None]
    gain = 1 + camera.light * (2 * drawn[:, 11] - 1)
    lit = (held * (gain[:, None, None] + camera.light * slope)[:, None]).clamp(0, 1)
    sharp = [blur(one[None], float(k) * camera.blur * size / 64)[0] for one, k in zip(lit, drawn[:, 12], strict=True)]
    taken = gaussian_noise(torch.stack(sharp), camera.noise, generator)
    qualities = camera.quality + (95 - camera.quality) * drawn[:, 13]
    return torch.stack([_jpeg(one, round(float(quality))) for one, quality in zip(taken, qualities, strict=True)])


def _laid(printed: Tensor, corners: Tensor, size: int) -> Tensor:
    """Squares ``(n, 4, s, s)`` with their corners at places ``(n, 4, 2)`` (x, y) of an image: premultiplied RGBA."""
    n = len(printed)
    source = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    back = torch.stack([_homography(corners[i], source) for i in range(n)])
    line = torch.arange(size) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3) @ back.transpose(1, 2)
    grid = (points[..., :2] / points[..., 2:]).view(n, size, size, 2)
    ready = torch.cat([printed[:, :3] * printed[:, 3:], printed[:, 3:]], 1)
    return F.grid_sample(ready, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _homography(start: Tensor, end: Tensor) -> Tensor:
    """``(3, 3)``, which takes four points ``(4, 2)`` to four others."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(start.tolist(), end.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    solved = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64))
    return torch.cat([solved, solved.new_ones(1)]).view(3, 3).float()


def _jpeg(image: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(to_uint8(image[None])[0].transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    with Image.open(file) as read:
        return from_uint8(np.asarray(read.convert("RGB")).transpose(2, 0, 1)[None].copy())[0]


def sheet(pictures: Tensor, labels: Sequence[str], path: Path) -> None:
    """An A4 page with patches to cut out, as a PDF: cutting marks at their corners, a label below each.

    Args:
        pictures: ``(n, 4, h, w)`` in [0, 1].
        labels: one a patch.
        path: of the PDF; further pages follow where one is not enough.
    """
    dots = DPI / 25.4
    side, margin, cut = (round(value * dots) for value in (MILLIMETRES, MARGIN, CUT))
    width, height = (round(value * dots) for value in A4)
    step_x, step_y = side + 3 * cut, side + 5 * cut
    columns, rows = (width - 2 * margin) // step_x, (height - 2 * margin) // step_y
    font = ImageFont.load_default(round(3.2 * dots))
    pages: list[Image.Image] = []
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        place = index % (columns * rows)
        if place == 0:
            pages.append(Image.new("RGB", (width, height), "white"))
        left, top = margin + place % columns * step_x + cut, margin + place // columns * step_y + cut
        flat = to_uint8(over(picture[None], 1.0))[0].transpose(1, 2, 0)
        pages[-1].paste(Image.fromarray(flat).resize((side, side), Image.Resampling.LANCZOS), (left, top))
        pen = ImageDraw.Draw(pages[-1])
        for x in (left, left + side):
            for y in (top, top + side):
                outward_x, outward_y = (-1 if x == left else 1), (-1 if y == top else 1)
                pen.line([(x + outward_x * 4, y), (x + outward_x * cut, y)], fill="black", width=2)
                pen.line([(x, y + outward_y * 4), (x, y + outward_y * cut)], fill="black", width=2)
        pen.text((left, top + side + cut), label, fill="black", font=font)
    pages[0].save(path, "PDF", resolution=DPI, save_all=True, append_images=pages[1:])
