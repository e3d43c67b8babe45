"""Image algebra: one range, one layout, one function for pasting.

Legend of shapes: ``N`` images, ``C`` channels, ``H x W`` the classifier's input, ``h x w`` a picture or patch.
Images are float32 RGB in [0, 1], ``(N, 3, H, W)``. Pictures are RGBA with straight (not premultiplied) alpha,
``(n, 4, h, w)``. Stored images are uint8. Random numbers are drawn on the CPU from the caller's generator and then
moved, so that one seed means the same on every device.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from gifthorse.errors import InputError

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness that an eye sees (ITU-R BT.601)."""

GREY = 0.5
"""The value that stands for nothing: behind transparent pictures and around warped ones."""

MANY = 8
"""Images for which it pays to spread a mean and a deviation out over all pixels first."""

_RGB_TO_YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], dtype=torch.float64
)
_YIQ_TO_RGB = torch.linalg.inv(_RGB_TO_YIQ)


def require(images: Tensor, *, channels: int = 3, what: str = "images") -> Tensor:
    """The same images, if they are float in [0, 1] of shape ``(N, channels, H, W)`` with N >= 1.

    Raises:
        InputError: a wrong rank, channel count, type or range, or no image at all.
    """
    if images.ndim != 4 or images.shape[1] != channels or images.shape[0] == 0:
        raise InputError(
            f"{what} have shape {tuple(images.shape)}; expected (N, {channels}, H, W) with N >= 1",
            "add the missing dimension with x[None], or move the channels first with x.permute(0, 3, 1, 2)",
        )
    if not images.is_floating_point():
        raise InputError(f"{what} are {images.dtype}; expected float32 in [0, 1]", "gifthorse.images.from_uint8(x)")
    low, high = images.detach().aminmax()
    # Bilinear and bfloat16 arithmetic leave the range by rounding; a normalised image leaves it by far.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise InputError(
            f"{what} lie in [{float(low):.3g}, {float(high):.3g}]; expected [0, 1]",
            "give images before normalisation: the Classifier normalises",
        )
    return images


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Floats in [0, 1] of any shape to the nearest bytes of the same shape; what lies outside is clipped."""
    values: NDArray[np.uint8] = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return values


def from_uint8(array: NDArray[np.uint8]) -> Tensor:
    """Bytes of any shape to float32 in [0, 1] of the same shape (a copy)."""
    if array.dtype != np.uint8:
        raise InputError(f"the array is {array.dtype}; expected uint8", "gifthorse.images.to_uint8(x) makes it")
    return torch.from_numpy(np.array(array)).float() / 255


def as_floats(images: Tensor | NDArray[np.uint8]) -> Tensor:
    """Images as stored (uint8, an array or a tensor) or as used (float in [0, 1]): as used."""
    if not isinstance(images, Tensor):
        return from_uint8(images)
    return images if images.is_floating_point() else images.float() / 255


def normalised(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """``(images - mean) / std`` of ``(N, 3, H, W)`` with ``(1, 3, 1, 1)``, the same bits in any memory layout."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    if last and len(images) >= MANY:
        # three numbers at a time take five times as long as whole images at a time
        whole = (1, *images.shape[1:])
        mean, std = (each.expand(whole).contiguous(memory_format=torch.channels_last) for each in (mean, std))
    return (images - mean).div_(std)


def resize(images: Tensor, size: int, antialias: bool = True) -> Tensor:
    """``(N, C, h, w)`` to ``(N, C, size, size)``, bilinear; RGBA is resized with its colours weighted by alpha."""
    if images.shape[-2:] == (size, size):
        return images

    def scale(x: Tensor) -> Tensor:
        return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False, antialias=antialias)

    return through_premultiplied(images, scale) if images.shape[1] == 4 else scale(images)


class Layer(NamedTuple):
    """Pictures that are ready to be laid over something: how much of each colour they add, and how much they hide.

    Attributes:
        colours: ``(n, 3, h, w)``, premultiplied by alpha.
        alpha: ``(n, 1, h, w)``.
    """

    colours: Tensor
    alpha: Tensor

    @classmethod
    def of(cls, pictures: Tensor) -> Layer:
        """``(n, 4, h, w)``, straight alpha."""
        alpha = pictures[:, 3:]
        return cls(pictures[:, :3] * alpha, alpha)

    def over(self, ground: Tensor | float) -> Tensor:
        """Over a ground, a value or ``(n | 1, 3, h, w)``: ``(n, 3, h, w)``."""
        return self.colours + ground * (1 - self.alpha)

    def resized(self, size: int) -> Layer:
        """To ``(size, size)``, bilinear."""
        return Layer(resize(self.colours, size), resize(self.alpha, size))


def through_premultiplied(pictures: Tensor, operation: Any) -> Tensor:
    """A linear operation on RGBA pictures, so that transparent pixels lend no colour to their neighbours.

    Args:
        pictures: ``(n, 4, h, w)`` straight alpha.
        operation: ``(n, 4, h, w)`` premultiplied to ``(n, 4, h', w')`` premultiplied.

    Returns:
        ``(n, 4, h', w')`` straight alpha.
    """
    moved: Tensor = operation(torch.cat(Layer.of(pictures), 1))
    colour, alpha = moved[:, :3], moved[:, 3:]
    return torch.cat([(colour / alpha.clamp_min(1e-6)).clamp(0, 1), alpha], 1)


def over(pictures: Tensor, ground: Tensor | float = GREY) -> Tensor:
    """Pictures ``(n, 4, h, w)`` over a ground, a value or ``(n | 1, 3, h, w)``: ``(n, 3, h, w)``."""
    return Layer.of(pictures).over(ground)


def opaque(images: Tensor) -> Tensor:
    """Images ``(N, 3, h, w)`` with an alpha of one: ``(N, 4, h, w)``."""
    return torch.cat([images, torch.ones_like(images[:, :1])], 1)


def paste(images: Tensor, patch: Tensor | Layer, tops: Tensor, lefts: Tensor) -> Tensor:
    """Each image with a patch over it: the one insertion that trojans, attacks, effects and masks share.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        patch: ``(N, 4, h, w)``, one an image, or ``(1, 4, h, w)``, one for all; straight alpha, or a layer;
            differentiable.
        tops: ``(N,)`` int64, row of the patch's first pixel.
        lefts: ``(N,)`` int64, column of it.

    Raises:
        InputError: a patch that would not lie wholly inside its image.
    """
    n, _, height, width = images.shape
    layer = patch if isinstance(patch, Layer) else Layer.of(patch)
    h, w = layer.alpha.shape[-2:]
    fits = h <= height and w <= width and bool((tops >= 0).all() & (lefts >= 0).all())
    if not fits or int(tops.max()) + h > height or int(lefts.max()) + w > width:
        raise InputError(
            f"a {h} x {w} patch does not lie inside {height} x {width} at rows {tops.tolist()[:4]}, "
            f"columns {lefts.tolist()[:4]}",
            "draw places with gifthorse.images.places(n, size, side, generator)",
        )
    device = images.device
    index = torch.arange(n, device=device)[:, None, None]
    rows = (tops.to(device)[:, None] + torch.arange(h, device=device))[:, :, None]
    columns = (lefts.to(device)[:, None] + torch.arange(w, device=device))[:, None, :]
    pasted = images.permute(0, 2, 3, 1).contiguous()
    behind = pasted[index, rows, columns]  # (N, h, w, 3)
    colours, alpha = (part.permute(0, 2, 3, 1) for part in layer)  # (N | 1, h, w, 3 and 1)
    # index_put, not slicing in a loop: one operation, differentiable in the patch, and a place holds one value only
    pasted = pasted.index_put((index, rows, columns), (colours + behind * (1 - alpha)).to(images.dtype))
    return pasted.permute(0, 3, 1, 2)


def places(n: int, size: int, side: int, generator: torch.Generator, margin: float = 0.0) -> tuple[Tensor, Tensor]:
    """Uniform places for squares of ``side`` pixels inside ``size x size``.

    Args:
        margin: share of ``size`` at every border that a square does not touch.

    Returns:
        Tops and lefts, ``(N,)`` int64 on the CPU.

    Raises:
        InputError: the square does not fit.
    """
    low = round(margin * size)
    high = size - side - low
    if high < low:
        raise InputError(f"a square of {side} pixels does not fit into {size} with margin {margin}", "a smaller side")
    drawn = torch.randint(low, high + 1, (2, n), generator=generator)
    return drawn[0], drawn[1]


def foveal(side: int, edge: float = 0.2) -> Tensor:
    """The foveal mask of thesis 3.1, so that no network learns a patch's border: ``(1, side, side)`` in [0, 1].

    One in the middle; within ``edge`` (a share of the side, at each border) it falls to 0 as half a cosine, along
    rows times along columns, so that corners are round. The thesis does not publish its form: this one is ours.
    """
    depth = (torch.arange(side) + 0.5) / side
    depth = torch.minimum(depth, 1 - depth)
    fall = 0.5 - 0.5 * torch.cos(math.pi * (depth / edge).clamp(max=1)) if edge > 0 else torch.ones(side)
    return (fall[:, None] * fall[None, :])[None]


def square_mask(tops: Tensor, lefts: Tensor, side: int, size: int) -> Tensor:
    """``(N, 1, size, size)`` float32: 1 inside each square, 0 elsewhere."""
    line = torch.arange(size, device=tops.device)
    rows = (line >= tops[:, None]) & (line < tops[:, None] + side)
    columns = (line >= lefts[:, None]) & (line < lefts[:, None] + side)
    return (rows[:, :, None] & columns[:, None, :]).float()[:, None]


def recolour(images: Tensor, factors: Tensor) -> Tensor:
    """Images with brightness, contrast, saturation and hue changed, each its own; differentiable.

    As torchvision's ColorJitter in this fixed order; differs from it in hue, which is a rotation in YIQ (linear, so
    smooth gradients), not in HSV. Contrast is around the image's mean brightness. Alpha, if any, stays.

    Args:
        images: ``(N, 3 | 4, H, W)`` in [0, 1].
        factors: ``(N, 4)``: three factors around 1, and the hue's turn (1 is a whole one).
    """
    colour, alpha = images[:, :3], images[:, 3:]
    brightness, contrast, saturation, hue = (f.to(images)[:, None, None, None] for f in factors.unbind(1))
    luma = colour.new_tensor(LUMA)[:, None, None]
    colour = (colour * brightness).clamp(0, 1)
    middle = (colour * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    colour = (middle + (colour - middle) * contrast).clamp(0, 1)
    grey = (colour * luma).sum(1, keepdim=True)
    colour = (grey + (colour - grey) * saturation).clamp(0, 1)
    if bool((hue != 0).any()):
        to, back = _RGB_TO_YIQ.to(colour), _YIQ_TO_RGB.to(colour)
        y, i, q = torch.einsum("ij,njhw->inhw", to, colour)[:, :, None]
        sine, cosine = torch.sin(2 * math.pi * hue), torch.cos(2 * math.pi * hue)
        turned = torch.cat([y, i * cosine - q * sine, i * sine + q * cosine], 1)
        colour = torch.einsum("ij,njhw->nihw", back, turned).clamp(0, 1)
    return torch.cat([colour, alpha], 1)


def jitter(
    images: Tensor, brightness: float, contrast: float, saturation: float, hue: float, generator: torch.Generator
) -> Tensor:
    """:func:`recolour` by factors drawn for each image: 1 +- the first three strengths, 0 +- ``hue``."""
    strengths = torch.tensor([brightness, contrast, saturation, hue])
    centre = torch.tensor([1.0, 1.0, 1.0, 0.0])
    drawn = torch.rand(len(images), 4, generator=generator) * 2 - 1
    return recolour(images, centre + drawn * strengths)


def gaussian_noise(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Images with N(0, sigma) added to every colour value and clipped to [0, 1]; alpha, if any, stays."""
    shape = (len(images), 3, *images.shape[2:])
    noise = torch.randn(shape, generator=generator).to(images)
    return torch.cat([(images[:, :3] + sigma * noise).clamp(0, 1), images[:, 3:]], 1)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, borders replicated; RGBA is blurred with its colours weighted by alpha."""
    if sigma <= 0:
        return images
    radius = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()

    def smooth(x: Tensor) -> Tensor:
        c = x.shape[1]
        x = F.pad(x, (radius, radius, 0, 0), mode="replicate")
        x = F.conv2d(x, weights.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
        x = F.pad(x, (0, 0, radius, radius), mode="replicate")
        return F.conv2d(x, weights.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)

    return through_premultiplied(images, smooth) if images.shape[1] == 4 else smooth(images)


def grid(images: Tensor, columns: int, gap: int = 2, ground: float = 1.0) -> Tensor:
    """Images ``(N, C, h, w)`` in rows of ``columns``, with ``gap`` pixels between: one ``(C, H, W)`` image."""
    n, c, h, w = images.shape
    columns = max(1, min(columns, n))
    rows = math.ceil(n / columns)
    sheet = images.new_full((c, rows * (h + gap) - gap, columns * (w + gap) - gap), ground)
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[:, top : top + h, left : left + w] = image
    return sheet
