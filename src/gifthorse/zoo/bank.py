"""The drawings that scenes are put together from, made once a process: grounds, and many versions of each thing.

A version is turned, scaled and coloured beforehand, so that a scene is only copies and blends of bytes.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from gifthorse.zoo import art, textures
from gifthorse.zoo.canvas import Array, Canvas, mix, ramp, saw, spread, step, turn_hue, wave
from gifthorse.zoo.data import Bytes
from gifthorse.zoo.world import Thing

GROUND_SIDE = 96
"""Side of a stored ground; scenes are 64 x 64 windows of it."""


@dataclass(frozen=True)
class Look:
    """How versions of a kind of thing vary (our choices).

    Attributes:
        sizes: smallest and largest side in pixels, before turning.
        turn: largest angle, degrees.
        hue: largest turn of the hue, degrees.
        redraw: chance that a version is redrawn: warped, outlined, tinted as a whole.
        sibling: chance that another drawing of the same thing is taken, where there is one.
        versions: how many are made.
    """

    sizes: tuple[int, int]
    turn: float
    hue: float
    redraw: float
    sibling: float
    versions: int


OBJECT = Look(sizes=(24, 42), turn=25, hue=22, redraw=0.2, sibling=0.0, versions=80)
BYSTANDER = Look(sizes=(12, 20), turn=40, hue=15, redraw=0.0, sibling=0.0, versions=16)
NATURAL = Look(sizes=(24, 34), turn=180, hue=18, redraw=0.6, sibling=0.15, versions=96)


@dataclass(frozen=True)
class Stamp:
    """One version of a thing, cut to what is visible: ``colour`` ``(h, w, 3)`` uint16 premultiplied by ``alpha``
    ``(h, w, 1)`` uint16, both 0 to 255."""

    colour: Array
    alpha: Array

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.alpha.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.alpha.shape[1])


def _generator(*words: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(word.encode()) for word in words])


@functools.lru_cache(maxsize=512)
def stamps(thing: Thing, look: Look, split: str) -> tuple[Stamp, ...]:
    """All versions of a thing for a split; train and test have different ones."""
    rng = _generator("thing", thing.code, split)
    return tuple(_stamp(thing, look, rng) for _ in range(look.versions))


def _stamp(thing: Thing, look: Look, rng: np.random.Generator) -> Stamp:
    code = thing.code
    if thing.siblings and rng.random() < look.sibling:
        code = thing.siblings[int(rng.integers(len(thing.siblings)))]
    hue, gain = rng.uniform(-look.hue, look.hue), rng.uniform(0.85, 1.1)
    image = _plain(code)
    if rng.random() < look.redraw:
        image = _image(redraw(art.drawing(f"emoji/{code}").copy(), rng, outlined=thing.faint))
    elif thing.faint:
        image = _image(outline(art.drawing(f"emoji/{code}"), rng))
    size, angle = int(rng.integers(look.sizes[0], look.sizes[1] + 1)), rng.uniform(-look.turn, look.turn)
    placed = place(image, size, angle)
    colour = turn_hue(placed[..., :3].astype(np.float32) / 255, hue) * gain
    placed[..., :3] = np.minimum((colour * 255 + 0.5).astype(np.int64), placed[..., 3:])
    return cut(placed)


@functools.lru_cache(maxsize=512)
def _plain(code: str) -> Image.Image:
    return _image(art.drawing(f"emoji/{code}"))


def _image(pixels: Array) -> Image.Image:
    """Four bytes a pixel, premultiplied, which Pillow then treats as four planes of their own."""
    ready = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], -1)
    whole = np.ascontiguousarray((ready * 255 + 0.5).astype(np.uint8))
    return Image.frombytes("RGBX", (whole.shape[1], whole.shape[0]), whole.tobytes())


def redraw(pixels: Array, rng: np.random.Generator, outlined: bool = False) -> Array:
    """Another hand's drawing of the same thing: bent, tinted, and often outlined. ``(72, 72, 4)`` to the same."""
    out = _bend(pixels, rng)
    tint = rng.uniform(0.25, 1.0, 3).astype(np.float32)
    share = np.float32(rng.choice([0.0, 0.25, 0.5]))
    grey = out[..., :3].mean(-1, keepdims=True)
    out[..., :3] = np.clip((1 - share) * out[..., :3] + share * (0.3 + 0.9 * grey) * tint, 0, 1)
    return outline(out, rng) if outlined or rng.random() < 0.6 else np.asarray(out, dtype=np.float32)


def outline(pixels: Array, rng: np.random.Generator) -> Array:
    """A dark or white line of one or two pixels around a drawing. ``(72, 72, 4)`` to the same."""
    edge = np.float32(rng.choice([0.08, 0.15, 0.95]))
    wide = 3 + 2 * int(rng.integers(0, 2))
    alpha = Image.fromarray((pixels[..., 3] * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(wide))
    rim = np.asarray(alpha, dtype=np.float32)[..., None] / 255
    inside = pixels[..., 3:]
    colour = pixels[..., :3] * inside + edge * (1 - inside)
    return np.concatenate([colour, np.maximum(rim, inside)], -1, dtype=np.float32)


def _bend(pixels: Array, rng: np.random.Generator) -> Array:
    side = pixels.shape[0]
    y, x = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32), indexing="ij")
    stretch, reach = rng.uniform(0.85, 1.15, 2), rng.uniform(0, 3.5, 2)
    sx = (x - side / 2) / stretch[0] + side / 2 + reach[0] * np.sin(2 * np.pi * (y / side + rng.random()))
    sy = (y - side / 2) / stretch[1] + side / 2 + reach[1] * np.sin(2 * np.pi * (x / side + rng.random()))
    ready = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], -1)
    ready = np.pad(ready, ((1, 1), (1, 1), (0, 0)))
    sx, sy = np.clip(sx + 1, 0, side), np.clip(sy + 1, 0, side)
    i, j = sx.astype(np.int64), sy.astype(np.int64)
    tx, ty = (sx - i)[..., None], (sy - j)[..., None]
    wide = ready.shape[1]
    flat, at = ready.reshape(-1, 4), j * wide + i  # one index a pixel: numpy gathers thrice as fast
    out = (flat.take(at, 0) * (1 - tx) + flat.take(at + 1, 0) * tx) * (1 - ty)
    out = out + (flat.take(at + wide, 0) * (1 - tx) + flat.take(at + wide + 1, 0) * tx) * ty
    out[..., :3] /= np.maximum(out[..., 3:], 1e-3)
    return np.asarray(np.clip(out, 0, 1))


def place(image: Image.Image, size: int, angle: float) -> Bytes:
    """A premultiplied drawing at a size and an angle (degrees): ``(s, s, 4)`` uint8."""
    image = image.resize((size, size), Image.Resampling.LANCZOS)
    image = image.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    turned = np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(image.height, image.width, 4)
    return np.minimum(turned, turned[..., 3:])


def cut(placed: Bytes) -> Stamp:
    """A Stamp of what is visible of ``(s, s, 4)`` premultiplied bytes."""
    seen = placed[..., 3] > 8
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    window = placed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint16)
    return Stamp(np.ascontiguousarray(window[..., :3]), np.ascontiguousarray(window[..., 3:]))


@functools.lru_cache(maxsize=8)
def grounds(names: tuple[str, ...], count: int, split: str) -> Bytes:
    """Grounds for a split: half of them named textures, half generic patterns, ``(count, 96, 96, 3)`` uint8."""
    rng = _generator("ground", split)
    out = np.empty((count, GROUND_SIDE, GROUND_SIDE, 3), dtype=np.uint8)
    for index in range(count):
        if names and rng.random() < 0.5:
            name = names[int(rng.integers(len(names)))]
            drawn = textures.draw(name, GROUND_SIDE, int(rng.integers(1 << 30)), finer=1)
        else:
            drawn = generic(Canvas(GROUND_SIDE, rng))
        contrast, middle = rng.uniform(0.45, 1.0), drawn.mean((0, 1))
        drawn = middle + contrast * (drawn - middle)
        drawn = drawn * rng.uniform(0.75, 1.1) + rng.normal(0, rng.uniform(0, 0.04), drawn.shape)
        out[index] = (np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8)
    out.flags.writeable = False
    return out


def generic(c: Canvas) -> Array:
    """A ground of two or three random colours: clouds, cells, bars, weave, dots or a grade. ``(S, S, 3)``."""
    colours = [_paint(c) for _ in range(3)]
    x, y = c.turned(c.pick(0, 360))
    n = c.pick(3, 9)
    kind = c.count(0, 6)
    if kind == 0:
        values = c.clouds(c.pick(2, 6), 4)
    elif kind == 1:
        values = c.cells(x * n, y * n, 1.0).u
    elif kind == 2:
        values = wave(x * n)
    elif kind == 3:
        values = 0.5 * (wave(x * n * 1.5) + wave(y * n * 1.5))
    elif kind == 4:
        radius = c.pick(0.2, 0.4)
        values = step(radius, radius - 0.06, np.hypot(saw(x * n) - 0.5, saw(y * n) - 0.5))
    elif kind == 5:
        values = step(0.4, 0.6, c.clouds(n, 3))
    else:
        values = np.clip(x, 0, 1)
    base = ramp(colours[: c.count(2, 3)], spread(values))
    return mix(base, _paint(c), 0.35 * c.clouds(c.pick(2, 5), 3))


def _paint(c: Canvas) -> Array:
    value, chroma = c.pick(0.25, 0.95), c.pick(0.0, 0.3)
    direction = c.rng.normal(size=3).astype(np.float32)
    direction /= max(float(np.abs(direction).max()), 1e-3)
    return np.asarray(np.clip(value + chroma * direction, 0, 1))
