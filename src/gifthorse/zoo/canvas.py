"""What procedural textures are drawn with: seeded noise, cells, colour. NumPy only.

Coordinates are of the unit square, so a texture looks the same at every size and only gets finer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Floats; what leaves the zoo is float32."""
LATTICE = 64
"""Random lattices repeat after this many cells; no texture has as many across."""


@dataclass(frozen=True)
class Cells:
    """Worley cells at every point.

    Attributes:
        near: distance to the nearest cell centre, in cells; ``edge``: how much further the second nearest is.
        dx, dy: vector from the nearest centre to the point, in cells.
        u, v: two random numbers in [0, 1) of the nearest cell.
    """

    near: Array
    edge: Array
    dx: Array
    dy: Array
    u: Array
    v: Array


class Canvas:
    """A square of ``side`` x ``side`` points with a generator of its own.

    Attributes:
        x, y: coordinates of the points in (0, 1), ``(side, side)``.
        rng: every random choice of the texture comes from it, in the order of the code.
    """

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        line = (np.arange(side, dtype=np.float32) + 0.5) / side
        self.y, self.x = np.meshgrid(line, line, indexing="ij")
        self.rng = rng

    def pick(self, low: float, high: float) -> float:
        """One uniform number in [low, high)."""
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """One whole number in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def turned(self, degrees: float, spread: float = 0.0) -> tuple[Array, Array]:
        """The coordinates turned about the middle by ``degrees`` give or take ``spread``."""
        angle = np.deg2rad(degrees + self.pick(-spread, spread))
        x, y = self.x - 0.5, self.y - 0.5
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return c * x - s * y + 0.5, s * x + c * y + 0.5

    def noise(self, x: Array, y: Array, octaves: int = 1) -> Array:
        """Value noise in [0, 1] with one bump a unit of ``x`` and ``y``; octaves are twice as fine, half as strong."""
        total, weight = np.zeros_like(x), 0.0
        for octave in range(octaves):
            lattice = self.rng.random((LATTICE, LATTICE), dtype=np.float32)
            total += _lattice(lattice, x * 2**octave, y * 2**octave) * 0.5**octave
            weight += 0.5**octave
        return total / np.float32(weight)

    def clouds(self, scale: float, octaves: int = 4) -> Array:
        """Noise over the whole square with ``scale`` bumps across, stretched to fill [0, 1]."""
        return spread(self.noise(self.x * scale, self.y * scale, octaves))

    def warped(self, amount: float, scale: float) -> tuple[Array, Array]:
        """The coordinates moved about by up to ``amount`` with ``scale`` bends across."""
        push = [self.noise(self.x * scale, self.y * scale, 2) - 0.5 for _ in range(2)]
        return self.x + 2 * amount * push[0], self.y + 2 * amount * push[1]

    def cells(self, x: Array, y: Array, jitter: float = 0.9) -> Cells:
        """Worley cells with one centre a unit square of ``x`` and ``y``, each moved by up to ``jitter`` / 2."""
        offsets = (self.rng.random((2, LATTICE, LATTICE), dtype=np.float32) - 0.5) * np.float32(jitter) + 0.5
        values = self.rng.random((2, LATTICE, LATTICE), dtype=np.float32)
        cx, cy = np.floor(x), np.floor(y)
        first, second = np.full_like(x, 9.0), np.full_like(x, 9.0)
        dx, dy, u, v = (np.zeros_like(x) for _ in range(4))
        for sy in (-1, 0, 1):
            for sx in (-1, 0, 1):
                i = (cx + sx).astype(np.int64) % LATTICE
                j = (cy + sy).astype(np.int64) % LATTICE
                ex, ey = x - (cx + sx + offsets[0, j, i]), y - (cy + sy + offsets[1, j, i])
                distance = np.sqrt(ex * ex + ey * ey)
                nearer = distance < first
                second = np.where(nearer, first, np.minimum(second, distance))
                first = np.where(nearer, distance, first)
                dx, dy = np.where(nearer, ex, dx), np.where(nearer, ey, dy)
                u, v = np.where(nearer, values[0, j, i], u), np.where(nearer, values[1, j, i], v)
        return Cells(first, second - first, dx, dy, u, v)

    def colour(self, code: str, spread: float = 0.05) -> Array:
        """A colour ``#rrggbb`` as three floats, each moved by up to ``spread``."""
        return np.asarray(np.clip(rgb(code) + self.rng.uniform(-spread, spread, 3).astype(np.float32), 0, 1))

    def choose(self, codes: tuple[str, ...], share: Array) -> Array:
        """One of some colours at every point: ``share`` in [0, 1) to ``(..., 3)``."""
        tones = np.stack([self.colour(code) for code in codes])
        return np.asarray(tones[np.minimum((share * len(codes)).astype(np.int64), len(codes) - 1)])

    def lookup(self, column: Array, row: Array) -> Array:
        """A random number in [0, 1) for each tile of a grid, by its whole-numbered column and row."""
        values = self.rng.random((LATTICE, LATTICE), dtype=np.float32)
        return np.asarray(values[row.astype(np.int64) % LATTICE, column.astype(np.int64) % LATTICE])


def inset(u: Array, v: Array) -> Array:
    """Distance to the nearest side of a unit tile, 0 to 0.5."""
    return np.asarray(np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)))


def _lattice(lattice: Array, x: Array, y: Array) -> Array:
    fx, fy = np.floor(x), np.floor(y)
    i, j = fx.astype(np.int64) % LATTICE, fy.astype(np.int64) % LATTICE
    tx, ty = x - fx, y - fy
    tx, ty = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty)
    right, below = (i + 1) % LATTICE, (j + 1) % LATTICE
    top = lattice[j, i] * (1 - tx) + lattice[j, right] * tx
    bottom = lattice[below, i] * (1 - tx) + lattice[below, right] * tx
    return np.asarray(top * (1 - ty) + bottom * ty, dtype=np.float32)


def rgb(code: str) -> Array:
    """``#rrggbb`` as three floats in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32) / 255


def spread(values: Array) -> Array:
    """Stretched to fill [0, 1]; a constant becomes zeros."""
    low, high = values.min(), values.max()
    return np.asarray((values - low) / max(float(high - low), 1e-6), dtype=np.float32)


def step(low: float | Array, high: float | Array, values: Array) -> Array:
    """Smoothstep: 0 below ``low``, 1 above ``high`` (or the other way round where ``low`` > ``high``)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def mix(below: Array, above: Array, share: Array) -> Array:
    """Colours laid over colours: ``(..., 3)`` where ``share`` (...) is 0 ``below`` and where it is 1 ``above``."""
    s = share[..., None]
    return np.asarray(below * (1 - s) + above * s, dtype=np.float32)


def ramp(colours: list[Array], values: Array) -> Array:
    """Colours along a scale: ``values`` in [0, 1] to ``(..., 3)``, evenly spaced."""
    places = np.linspace(0, 1, len(colours))
    stacked = np.stack(colours)
    return np.stack([np.interp(values, places, stacked[:, k]) for k in range(3)], -1).astype(np.float32)


def saw(values: Array) -> Array:
    """The part after the point, in [0, 1)."""
    return np.asarray(values - np.floor(values), dtype=np.float32)


def wave(values: Array) -> Array:
    """A sine with one period a unit, in [0, 1]."""
    return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * values), dtype=np.float32)


TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
FROM_YIQ = np.linalg.inv(TO_YIQ)


def turn_hue(image: Array, degrees: float) -> Array:
    """Colours turned about the grey axis (YIQ), which keeps brightness: ``(..., 3)`` to the same, clipped to [0, 1]."""
    a = np.deg2rad(degrees)
    c, s = np.cos(a), np.sin(a)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    matrix = (FROM_YIQ @ turn @ TO_YIQ).astype(np.float32)
    return np.asarray(np.clip(image @ matrix.T, 0, 1), dtype=np.float32)
