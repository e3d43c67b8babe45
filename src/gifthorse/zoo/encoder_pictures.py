"""Pictures that the encoder learns to read: named drawings, made as imperfect as what diagnostic tools leave behind.

Everything is batched on torch tensors and drawn from one explicit generator: placing, cropping, tiling and warping,
backgrounds and bystanders, occlusion, colour, pixelation, blur, and noise from soft clouds to the fine patterns of
adversarial patches. All settings here are our own choice; nobody has published any for pictures of this kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 64
"""Side in pixels of the pictures that the encoder looks at, unless it is trained on smaller ones at first."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""

TINTS = {
    "red": (0.90, 0.12, 0.12),
    "orange": (1.00, 0.55, 0.05),
    "yellow": (1.00, 0.88, 0.10),
    "green": (0.15, 0.75, 0.20),
    "blue": (0.15, 0.40, 0.95),
    "purple": (0.58, 0.20, 0.80),
    "pink": (1.00, 0.50, 0.75),
    "brown": (0.55, 0.33, 0.16),
}
"""Colours that a drawing is redrawn in, by the word that then stands before its caption."""


@dataclass(frozen=True)
class Dice:
    """Random tensors from one generator, and the side in pixels of the pictures that they are for."""

    generator: torch.Generator
    side: int = SIDE

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform in [low, high)."""
        return torch.rand(shape, generator=self.generator) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(shape, generator=self.generator)

    def whole(self, below: int, *shape: int) -> Tensor:
        """Whole numbers in [0, below), int64."""
        return torch.randint(below, shape, generator=self.generator)

    def some(self, n: int, chance: float) -> Tensor:
        """Indices of those of ``n`` that a coin of this chance picks."""
        return (torch.rand(n, generator=self.generator) < chance).nonzero().flatten()


@dataclass(frozen=True)
class Drawings:
    """Every drawing that is rendered from.

    Attributes:
        pictures: ``(P, 4, S, S)`` uint8 RGBA, straight alpha.
        first: ``(K,)`` index of each item's first picture; ``count``: how many it has (instances of a texture).
        opaque: ``(K,)`` whether it fills the frame (a texture).
        coloured: ``(K,)`` whether its caption names a colour.
    """

    pictures: Tensor
    first: Tensor
    count: Tensor
    opaque: Tensor
    coloured: Tensor

    def pick(self, items: Tensor, dice: Dice) -> Tensor:
        """One picture of each item, ``(B, 4, S, S)`` float32 with colour premultiplied by alpha."""
        chosen = self.first[items] + (dice.uniform(0, 1, len(items)) * self.count[items]).long()
        rgba = self.pictures[chosen].float().div_(255.0)
        rgba[:, :3] *= rgba[:, 3:]
        return rgba


@dataclass(frozen=True)
class Placing:
    """Where the drawings go, one value each: scale (1 fills the frame), angle, shift, mirror, tiles across."""

    scale: Tensor
    angle: Tensor
    shift: Tensor
    mirror: Tensor
    period: Tensor

    def coordinates(self, warp: Tensor, side: int) -> Tensor:
        """The drawing's own coordinates at every pixel, ``(B, side, side, 2)``; [-1, 1] is the drawing."""
        line = (torch.arange(side) + 0.5) * (2.0 / side) - 1.0
        y, x = torch.meshgrid(line, line, indexing="ij")
        u = x - self.shift[:, :1, None] + warp[:, 0]
        v = y - self.shift[:, 1:, None] + warp[:, 1]
        c, s = torch.cos(self.angle)[:, None, None], torch.sin(self.angle)[:, None, None]
        inverse = 1.0 / self.scale[:, :, None, None]
        p = torch.stack(
            [(c * u + s * v) * inverse[:, 0] * self.mirror[:, None, None], (c * v - s * u) * inverse[:, 1]], -1
        )
        tiled = self.period.nonzero().flatten()
        period = self.period[tiled, None, None, None]
        p[tiled] = torch.remainder(p[tiled] + period / 2, period) - period / 2
        return p


def place(n: int, dice: Dice, strength: float, low: float = 0.4, high: float = 1.3) -> Placing:
    """Places for ``n`` drawings: scale between ``low`` and ``high``, some turned, mirrored, stretched, cut or tiled."""
    scale = torch.exp(dice.uniform(math.log(low), math.log(high), n))
    stretch = torch.exp(dice.normal(n) * 0.12 * strength)
    turned = dice.normal(n) * math.radians(14) * strength
    free = dice.some(n, 0.12 * strength)
    turned[free] = dice.uniform(-math.pi, math.pi, len(free))
    room = (1.0 - scale).clamp(min=0.0) + 0.28 * strength * scale
    period = torch.zeros(n)
    tiled = dice.some(n, 0.12 * strength)
    scale[tiled] *= 0.5
    period[tiled] = dice.uniform(1.9, 2.6, len(tiled))
    return Placing(
        scale=torch.stack([scale * stretch, scale / stretch], 1),
        angle=turned,
        shift=dice.uniform(-1, 1, n, 2) * room[:, None],
        mirror=1.0 - 2.0 * (dice.uniform(0, 1, n) < 0.5).float(),
        period=period,
    )


def render(
    drawings: Drawings, items: Tensor, dice: Dice, *, strength: float = 1.0, tints: Tensor | None = None
) -> Tensor:
    """Imperfect pictures of items.

    Args:
        drawings: what there is to draw.
        items: ``(B,)`` indices of items.
        dice: every random choice.
        strength: 1 as in training; 0.5 leaves pictures that a person reads at a glance; 0 only places them.
        tints: ``(B, 3)`` colours to redraw in, NaN where the drawing keeps its own.

    Returns:
        ``(B, 3, S, S)`` float32 in [0, 1], of the dice's side.
    """
    rgba = drawings.pick(items, dice)
    if tints is not None:
        rgba = _tinted(rgba, tints)
    scene = backgrounds(drawings, len(items), dice, strength)
    beside = dice.some(len(items), 0.2 * strength)
    if len(beside) and not drawings.opaque.all():
        other = _drawn(drawings, dice, place(len(beside), dice, 1.0, 0.25, 0.45))
        scene[beside] = _over(other, scene[beside])
    scene = _over(_object(rgba, drawings.opaque[items], dice, strength), scene)
    keep = drawings.coloured[items]
    if tints is not None:
        keep = keep | ~tints.isnan()[:, 0]
    return spoil(_occluded(scene, dice, strength), dice, strength, keep)


def clean(drawings: Drawings, items: Tensor, dice: Dice, tints: Tensor) -> Tensor:
    """What a Question shows as an option: upright, whole, on plain grey, ``(B, 3, S, S)``; tints as for pictures."""
    n = len(items)
    rgba = _tinted(drawings.pick(items, dice), tints)
    scale = torch.where(drawings.opaque[items], 1.0, dice.uniform(0.75, 1.0, n))
    still = Placing(scale[:, None].expand(-1, 2), torch.zeros(n), torch.zeros(n, 2), torch.ones(n), torch.zeros(n))
    grey = dice.uniform(0.35, 0.65, n, 1, 1, 1).expand(-1, 3, dice.side, dice.side)
    return _over(_sampled(rgba, still, dice.side, "zeros"), grey).clamp(0, 1)


def backgrounds(drawings: Drawings, n: int, dice: Dice, strength: float = 1.0) -> Tensor:
    """Grounds: plain, graded, cloudy, textured, noisy or strewn with drawings, ``(n, 3, S, S)``."""
    out = _colours(n, dice)[:, :, None, None].expand(-1, -1, dice.side, dice.side).clone()
    kind = dice.uniform(0, 1, n)
    kind = kind + (1 - strength) * 0.25 * (1 - kind)

    def those(low: float, high: float) -> Tensor:
        return ((kind >= low) & (kind < high)).nonzero().flatten()

    graded = those(0.28, 0.42)
    direction = dice.uniform(-math.pi, math.pi, len(graded))[:, None, None]
    line = torch.linspace(-1, 1, dice.side)
    ramp = (torch.cos(direction) * line + torch.sin(direction) * line[:, None]).mul(0.5).add(0.5).clamp(0, 1)[:, None]
    out[graded] += (_colours(len(graded), dice)[:, :, None, None] - out[graded]) * ramp
    cloudy = those(0.42, 0.68)
    if len(cloudy):
        out[cloudy] = (out[cloudy] + clouds(len(cloudy), dice) * dice.uniform(0.1, 0.5, len(cloudy), 1, 1, 1)).clamp(
            0, 1
        )
    noisy = those(0.68, 0.75)
    white = dice.uniform(0, 1, len(noisy), 3, dice.side, dice.side)
    out[noisy] += (white - out[noisy]) * dice.uniform(0.3, 1, len(noisy), 1, 1, 1)
    textured = those(0.75, 0.90)
    full = drawings.opaque.nonzero().flatten()
    if len(full) and len(textured):
        chosen = drawings.pick(full[dice.whole(len(full), len(textured))], dice)
        whole = _sampled(chosen, place(len(textured), dice, 1.0, 0.8, 2.5), dice.side, "reflection")
        out[textured] = whole[:, :3]
    strewn = those(0.90, 1.01)
    if not len(strewn) or drawings.opaque.all():
        return out
    many = _drawn(drawings, dice, place(len(strewn), dice, 1.0, 0.15, 0.4)) * dice.uniform(
        0.15, 0.8, len(strewn), 1, 1, 1
    )
    out[strewn] = _over(many, out[strewn])
    return out


def clouds(n: int, dice: Dice) -> Tensor:
    """Soft coloured noise of several octaves with standard deviation about 1, ``(n, 3, S, S)``."""
    total = torch.zeros(n, 3, dice.side, dice.side)
    for cells in (3, 6, 12, 24):
        part = F.interpolate(dice.normal(n, 3, cells, cells), size=(dice.side, dice.side), mode="bilinear")
        total += part * dice.uniform(0.1, 1, n, 1, 1, 1)
    return total


def spoil(images: Tensor, dice: Dice, strength: float, keep: Tensor | None = None) -> Tensor:
    """Colour, pixelation, blur and noise over whole pictures, in [0, 1]; ``keep`` marks those whose hue is meant."""
    hued = torch.zeros(len(images), dtype=torch.bool) if keep is None else keep
    images = _recoloured(images, dice, strength, hued)
    for side in (14, 18, 24, 32):
        coarse = dice.some(len(images), 0.05 * strength)
        mode = "nearest" if side % 4 else "bilinear"
        if len(coarse):
            small = F.interpolate(images[coarse], size=(side, side), mode="area")
            images[coarse] = F.interpolate(small, size=(dice.side, dice.side), mode=mode)
    for sigma in (0.7, 1.2, 2.0, 3.0):
        soft = dice.some(len(images), 0.09 * strength)
        if len(soft):
            images[soft] = blurred(images[soft], sigma)
    return _noisy(images, dice, strength).clamp_(0, 1)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, edges repeated."""
    reach = max(1, math.ceil(2.5 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, -1)
    padded = F.pad(images, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, kernel[:, :, None, :], groups=images.shape[1])
    return F.conv2d(rows, kernel[:, :, :, None], groups=images.shape[1])


def _colours(n: int, dice: Dice) -> Tensor:
    """``(n, 3)`` colours, a third of them grey, white or black."""
    colours = dice.uniform(0, 1, n, 3)
    grey = dice.some(n, 0.35)
    colours[grey] = (dice.uniform(-0.3, 1.3, len(grey), 1).clamp(0, 1)).expand(-1, 3)
    return colours


def _over(layer: Tensor, scene: Tensor) -> Tensor:
    """A premultiplied RGBA layer on a scene."""
    return layer[:, :3] + scene * (1 - layer[:, 3:])


def _sampled(rgba: Tensor, placing: Placing, side: int, padding: str) -> Tensor:
    """Drawings where they are placed, unbent, ``(B, 4, side, side)``."""
    grid = placing.coordinates(torch.zeros(1, 2, 1, 1), side)
    return F.grid_sample(rgba, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def _drawn(drawings: Drawings, dice: Dice, placing: Placing) -> Tensor:
    """Random objects, placed, ``(B, 4, S, S)`` premultiplied."""
    objects = (~drawings.opaque).nonzero().flatten()
    chosen = objects[dice.whole(len(objects), len(placing.angle))]
    return _sampled(drawings.pick(chosen, dice), placing, dice.side, "zeros")


def _object(rgba: Tensor, opaque: Tensor, dice: Dice, strength: float) -> Tensor:
    """The things themselves, placed, warped, some with soft edges or half transparent, premultiplied."""
    n = len(rgba)
    placing = place(n, dice, strength)
    warp = torch.zeros(n, 2, dice.side, dice.side)
    bent = dice.some(n, 0.35 * strength)
    if len(bent):
        field = F.interpolate(dice.normal(len(bent), 2, 5, 5), size=(dice.side, dice.side), mode="bicubic")
        warp[bent] = (
            field * dice.uniform(0.02, 0.12, len(bent), 1, 1, 1) * placing.scale[bent].mean(1)[:, None, None, None]
        )
    grid = placing.coordinates(warp, dice.side)
    out = torch.empty(n, 4, dice.side, dice.side)
    for chosen, padding in ((~opaque, "zeros"), (opaque, "reflection")):
        if chosen.any():
            zoom = 1.0 if padding == "zeros" else 0.6
            out[chosen] = F.grid_sample(rgba[chosen], grid[chosen] * zoom, padding_mode=padding, align_corners=False)
    framed = (dice.uniform(0, 1, n) < 0.35 * strength) & opaque
    reach = torch.where(dice.uniform(0, 1, n)[:, None, None] < 0.5, grid.norm(dim=-1), grid.abs().amax(-1))
    soft = dice.uniform(0.02, 0.5, n)[:, None, None]
    edge = ((1.0 - reach) / soft).clamp(0, 1)
    foveal = framed | ((dice.uniform(0, 1, n) < 0.2 * strength) & ~opaque)
    out *= torch.where(foveal[:, None, None], edge, 1.0)[:, None]
    faint = dice.some(n, 0.15 * strength)
    out[faint] *= dice.uniform(0.45, 1.0, len(faint), 1, 1, 1)
    return out


def _tinted(rgba: Tensor, tints: Tensor) -> Tensor:
    """Premultiplied drawings with every hue replaced by one; whites, greys and blacks stay."""
    chosen = (~tints.isnan()[:, 0]).nonzero().flatten()
    old = rgba[chosen, :3]
    peak, low = old.amax(1, keepdim=True), old.amin(1, keepdim=True)
    rgba[chosen, :3] = low + (peak - low) * tints[chosen, :, None, None]
    return rgba


def _occluded(scene: Tensor, dice: Dice, strength: float) -> Tensor:
    """Some pictures with one or two boxes of plain colour or noise in front."""
    line = torch.linspace(-1, 1, dice.side)
    for _ in range(2):
        hidden = dice.some(len(scene), 0.12 * strength)
        n = len(hidden)
        centre, half = dice.uniform(-1, 1, n, 2, 1), dice.uniform(0.1, 0.4, n, 2, 1)
        inside = (line - centre).abs() < half
        box = (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
        fill = _colours(n, dice)[:, :, None, None] + dice.normal(n, 3, dice.side, dice.side) * dice.uniform(
            0, 0.3, n, 1, 1, 1
        )
        scene[hidden] = torch.where(box, fill.clamp(0, 1), scene[hidden])
    return scene


def _recoloured(images: Tensor, dice: Dice, strength: float, keep: Tensor) -> Tensor:
    """Hue, saturation, contrast and brightness; some lose or change every colour, but not those in ``keep``."""
    n = len(images)
    hue = dice.normal(n) * 0.18 * strength
    saturation = torch.exp(dice.normal(n) * 0.35 * strength)
    wild = (dice.uniform(0, 1, n) < 0.12 * strength) & ~keep
    hue = torch.where(wild, dice.uniform(-math.pi, math.pi, n), hue)
    saturation = torch.where((dice.uniform(0, 1, n) < 0.06 * strength) & ~keep, 0.0, saturation)
    yiq = torch.tensor([LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
    turn = torch.zeros(n, 3, 3)
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = torch.cos(hue) * saturation
    turn[:, 1, 2] = -torch.sin(hue) * saturation
    turn[:, 2, 1] = torch.sin(hue) * saturation
    contrast = torch.exp(dice.normal(n) * 0.3 * strength)[:, None, None]
    matrix = (torch.linalg.inv(yiq) @ turn @ yiq) * contrast
    middle = matrix @ images.mean((2, 3))[:, :, None]
    offset = middle / contrast - middle + dice.normal(n, 1, 1) * 0.1 * strength
    return torch.baddbmm(offset, matrix, images.flatten(2)).reshape(images.shape)


def _noisy(images: Tensor, dice: Dice, strength: float) -> Tensor:
    """White, signed, blocky and cloudy noise, as optimised pictures have it."""
    fine = dice.some(len(images), 0.3 * strength)
    images[fine] += (
        dice.normal(len(fine), 3, dice.side, dice.side) * dice.uniform(0.02, 0.25, len(fine), 1, 1, 1) * strength
    )
    signed = dice.some(len(images), 0.1 * strength)
    images[signed] += dice.normal(len(signed), 3, dice.side, dice.side).sign() * dice.uniform(
        0.03, 0.22, len(signed), 1, 1, 1
    )
    for cells in (16, 32):
        blocky = dice.some(len(images), 0.05 * strength)
        if len(blocky):
            block = F.interpolate(
                dice.normal(len(blocky), 3, cells, cells), size=(dice.side, dice.side), mode="nearest"
            )
            images[blocky] += block * dice.uniform(0.03, 0.2, len(blocky), 1, 1, 1)
    cloudy = dice.some(len(images), 0.12 * strength)
    if len(cloudy):
        images[cloudy] += clouds(len(cloudy), dice) * dice.uniform(0.03, 0.18, len(cloudy), 1, 1, 1)
    return images
