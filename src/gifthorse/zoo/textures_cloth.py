"""Named textures of cloth, dye and weave. Each function draws one on a Canvas, ``(S, S, 3)``."""

from __future__ import annotations

import numpy as np

from gifthorse.zoo.canvas import Array, Canvas, inset, mix, ramp, saw, step, wave


def plaid(c: Canvas) -> Array:
    """Red cloth with crossing dark and yellow bands, as tartan has."""
    n = c.pick(2.2, 3.2)
    base, dark, line = c.colour("#b81f2d"), c.colour("#16301f"), c.colour("#f2d648")
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + base
    for t in (saw(c.x * n), saw(c.y * n)):
        out = mix(out, dark, 0.6 * step(0.18, 0.16, np.abs(t - 0.5)))
    for t in (saw(c.x * n), saw(c.y * n)):
        out = mix(out, line, 0.85 * step(0.045, 0.03, np.abs(t - 0.02) * (t < 0.5) + np.abs(t - 1.02) * (t >= 0.5)))
    twill = wave((c.x + c.y) * 40)
    return np.asarray(out * (0.92 + 0.08 * twill)[..., None], dtype=np.float32)


def gingham(c: Canvas) -> Array:
    """Blue and white crossing stripes of equal width."""
    n = c.count(5, 7)
    a = (np.floor(c.x * n * 2) % 2) * 0.5 + (np.floor(c.y * n * 2) % 2) * 0.5
    return mix(c.colour("#fafafa", 0.03), c.colour("#2f62b8"), a.astype(np.float32))


def argyle(c: Canvas) -> Array:
    """Diamonds of two colours with thin crossing lines."""
    n = c.count(3, 4)
    u, v = c.x * n, c.y * n * 0.75
    diamond = (np.floor(u + v) + np.floor(u - v)) % 2
    out = mix(c.colour("#2f4a3a"), c.colour("#d9c9a0"), diamond.astype(np.float32))
    out = mix(out, c.colour("#9c2f2f"), ((np.floor(u + v) % 2 == 1) & (np.floor(u - v) % 2 == 0)).astype(np.float32))
    thread = np.minimum(np.abs(saw(u + v + 0.5) - 0.5), np.abs(saw(u - v + 0.5) - 0.5))
    return mix(out, np.ones(3, np.float32), step(0.04, 0.02, thread))


def houndstooth(c: Canvas) -> Array:
    """Black and white broken checks with pointed teeth."""
    n = c.count(4, 6)
    u, v = saw(c.x * n) * 4, saw(c.y * n) * 4
    tooth = saw((u + v) / 2) < 0.5
    warp, weft = u < 2, v < 2
    dark = (warp & weft) | (warp & ~weft & tooth) | (~warp & weft & tooth)
    return mix(c.colour("#f3f1ec", 0.03), c.colour("#1c1b1e", 0.03), dark.astype(np.float32))


def herringbone(c: Canvas) -> Array:
    """Grey twill in zigzag columns."""
    n = c.count(4, 6)
    u = saw(c.x * n)
    slope = np.where(np.floor(c.x * n) % 2 == 0, u, 1 - u)
    lines = saw((c.y * n * 2.2) + slope * 1.2)
    out = mix(c.colour("#3c3f48"), c.colour("#c9c6bf"), step(0.4, 0.6, np.abs(2 * lines - 1)))
    return mix(out, c.colour("#24262c"), step(0.06, 0.02, np.minimum(u, 1 - u)))


def chevron(c: Canvas) -> Array:
    """Teal and white zigzag bands."""
    n = c.count(4, 5)
    fold = np.abs(saw(c.x * n) - 0.5)
    band = np.floor(c.y * n * 1.6 + fold * 2) % 2
    return mix(c.colour("#f7f5ef", 0.03), c.colour("#1f8a8f"), band.astype(np.float32))


def knit(c: Canvas) -> Array:
    """Rows of V-shaped wool stitches."""
    n = c.count(7, 9)
    u, v = saw(c.x * n) - 0.5, c.y * n * 1.1
    lean = v - np.abs(u) * 1.3
    w = saw(lean) - 0.5
    stitch = step(0.5, 0.2, np.hypot(w * 1.0, (np.abs(u) - 0.25) * 2.0))
    fuzz = c.noise(c.x * 60, c.y * 60)
    tone = np.clip(stitch * (0.75 + 0.35 * fuzz), 0, 1)
    return ramp([c.colour("#4a1226"), c.colour("#c2405f"), c.colour("#f29aa8")], tone)


def denim(c: Canvas) -> Array:
    """Blue twill with a yellow double seam."""
    twill = wave((c.x + c.y * 1.1) * c.pick(24, 30))
    fade = c.clouds(4, 3)
    out = ramp(
        [c.colour("#1d3358"), c.colour("#4a6fa5"), c.colour("#a9c1df")], np.clip(0.55 * twill + 0.45 * fade, 0, 1)
    )
    x, _ = c.turned(c.pick(-15, 15))
    at = c.pick(0.3, 0.7)
    for shift in (-0.035, 0.035):
        dash = saw(c.y * 11) < 0.65
        out = mix(out, c.colour("#e0a53a"), step(0.016, 0.009, np.abs(x - at - shift)) * dash)
    return out


def polka_dots(c: Canvas) -> Array:
    """White round dots in rows on pink."""
    n = c.count(4, 6)
    row = np.floor(c.y * n)
    r = np.hypot(saw(c.x * n + 0.5 * (row % 2)) - 0.5, saw(c.y * n) - 0.5)
    return mix(c.colour("#e8518d"), c.colour("#ffffff", 0.02), step(0.32, 0.28, r))


def stripes(c: Canvas) -> Array:
    """Straight red and white stripes."""
    x, _ = c.turned(c.pick(0, 180))
    return mix(c.colour("#ffffff", 0.03), c.colour("#d0262f"), step(0.46, 0.54, wave(x * c.pick(5, 7))))


def rainbow(c: Canvas) -> Array:
    """Bands of all colours in order."""
    x, _ = c.turned(c.pick(0, 360))
    codes = ("#e6261f", "#eb7532", "#f7d038", "#a3e048", "#34bbe6", "#4355db", "#d23be7")
    return c.choose(codes, saw(x * c.pick(1.3, 1.8)))


def woven_basket(c: Canvas) -> Array:
    """Tan strips that go over and under each other."""
    n = c.count(6, 8)
    u, v = saw(c.x * n), saw(c.y * n)
    over = (np.floor(c.x * n) + np.floor(c.y * n)) % 2 == 1
    along, across = np.where(over, u, v), np.where(over, v, u)
    bulge = np.sqrt(np.clip(1 - (2 * along - 1) ** 2, 0, 1)) * step(0.0, 0.2, np.minimum(across, 1 - across))
    lines = 0.85 + 0.15 * wave(across * 3)
    return ramp([c.colour("#3d2611"), c.colour("#b08248"), c.colour("#ecd09a")], np.clip(bulge * lines, 0, 1))


def camouflage(c: Canvas) -> Array:
    """Blotches of green, brown, tan and black."""
    x, y = c.warped(0.08, 6)
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + c.colour("#a29a68")
    for code, level in (("#5a6b35", 0.5), ("#5b4327", 0.58), ("#22251c", 0.64)):
        out = mix(out, c.colour(code, 0.02), step(level, level + 0.02, c.noise(x * 4 + c.pick(0, 9), y * 5, 2)))
    return out


def tie_dye(c: Canvas) -> Array:
    """Rings of bright dye that bleed outwards in a spiral."""
    x, y = c.warped(0.08, 5)
    dx, dy = x - c.pick(0.35, 0.65), y - c.pick(0.35, 0.65)
    turn = np.hypot(dx, dy) * 3.2 + np.arctan2(dy, dx) / (2 * np.pi)
    colours = [c.colour(k) for k in ("#e6261f", "#f7d038", "#34bb5a", "#2f6be6", "#c23be7", "#e6261f")]
    return mix(ramp(colours, saw(turn)), np.ones(3, np.float32), 0.5 * step(0.6, 0.9, c.clouds(8, 3)))


def quilt(c: Canvas) -> Array:
    """Padded squares of soft cloth with a stitched cross."""
    n = c.count(3, 5)
    x, y = c.turned(45)
    u, v = saw(x * n), saw(y * n)
    puff = np.clip(inset(u, v) * 3, 0, 1) ** 0.6
    tone = c.choose(("#9b8fd0", "#c9b8ec", "#8aa6dc"), c.lookup(np.floor(x * n), np.floor(y * n)))
    return np.asarray(tone * (0.45 + 0.6 * puff)[..., None], dtype=np.float32).clip(0, 1)
