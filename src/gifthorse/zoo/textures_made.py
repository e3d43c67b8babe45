"""Named textures of made things: cloth, masonry, sweets, metal. Each function draws one on a Canvas, ``(S, S, 3)``."""

from __future__ import annotations

import numpy as np

from gifthorse.zoo.canvas import Array, Canvas, mix, ramp, saw, spread, step, wave

SWEETS = ("#e0262d", "#f28c1d", "#f7d51e", "#3fae3a", "#2f66d0", "#8d3ab0", "#f28ab8", "#ffffff")
"""Colours of jellybeans, gumballs, sprinkles and confetti."""


def _inset(u: Array, v: Array) -> Array:
    return np.asarray(np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)))


def _choose(c: Canvas, codes: tuple[str, ...], share: Array) -> Array:
    tones = np.stack([c.colour(code) for code in codes])
    return tones[np.minimum((share * len(codes)).astype(np.int64), len(codes) - 1)]


def _lattice(c: Canvas, column: Array, row: Array) -> Array:
    values = c.rng.random((64, 64), dtype=np.float32)
    return values[row.astype(np.int64) % 64, column.astype(np.int64) % 64]


def _courses(c: Canvas, rows: int, stretch: float) -> tuple[Array, Array, Array]:
    row = np.floor(c.y * rows)
    across = c.x * rows / stretch + 0.5 * (row % 2)
    return saw(across), saw(c.y * rows), _lattice(c, np.floor(across), row)


def brick_wall(c: Canvas) -> Array:
    """Courses of red bricks with pale mortar."""
    rows = c.count(6, 8)
    u, v, tone = _courses(c, rows, 2.2)
    inset = np.minimum(np.minimum(u, 1 - u) * 2.2, np.minimum(v, 1 - v))
    brick = mix(c.colour("#8e3320"), c.colour("#c8603c"), np.clip(0.7 * tone + 0.5 * (c.clouds(20, 2) - 0.3), 0, 1))
    return mix(c.colour("#d9cfc2"), brick, step(0.06, 0.12, inset))


def cobblestones(c: Canvas) -> Array:
    """Rounded grey stones in rows with dark gaps."""
    rows = c.count(5, 6)
    wx, wy = c.warped(0.015, 7)
    row = np.floor(wy * rows)
    u, v = saw(wx * rows + 0.5 * (row % 2)), saw(wy * rows)
    tone = _lattice(c, np.floor(wx * rows + 0.5 * (row % 2)), row)
    inset = 0.5 - (np.abs(u - 0.5) ** 4 + np.abs(v - 0.5) ** 4) ** 0.25
    light = np.clip(0.55 + 0.5 * tone + 0.5 * (0.5 - v), 0, 1.2)
    return mix(
        c.colour("#26262a", 0.02), np.clip(c.colour("#96999f") * light[..., None], 0, 1), step(0.03, 0.13, inset)
    )


def roof_shingles(c: Canvas) -> Array:
    """Rows of rounded slate-red tiles, each row over the next."""
    n = c.count(5, 7)
    out = np.zeros((*c.x.shape, 3), dtype=np.float32)
    for layer in range(n + 2, -2, -1):
        u = saw(c.x * n + 0.5 * (layer % 2)) - 0.5
        v = c.y * n - layer
        edge = 1.0 - 0.35 * (2 * np.abs(u)) ** 3 - v
        tone = _lattice(c, np.floor(c.x * n + 0.5 * (layer % 2)), np.full_like(c.x, layer % 64))
        tile = mix(c.colour("#7a2f22"), c.colour("#c0563a"), tone) * (0.5 + 0.5 * step(0.0, 0.5, edge))[..., None]
        tile = tile * step(0.0, 0.05, 0.5 - np.abs(u))[..., None]
        out = mix(out, tile.astype(np.float32), step(0.0, 0.03, edge))
    return out


def checkerboard(c: Canvas) -> Array:
    """Black and white squares."""
    n = c.count(5, 8)
    odd = (np.floor(c.x * n) + np.floor(c.y * n)) % 2
    return mix(c.colour("#f2f2f0", 0.04), c.colour("#17171a", 0.04), odd.astype(np.float32))


def honeycomb(c: Canvas) -> Array:
    """Golden six-sided cells with thick rims."""
    n = c.pick(5, 7)
    x, y = c.x * n, c.y * n / np.sqrt(3) * 1.0
    a = np.stack([saw(x) - 0.5, (saw(y) - 0.5) * np.sqrt(3)])
    b = np.stack([saw(x + 0.5) - 0.5, (saw(y + 0.5) - 0.5) * np.sqrt(3)])
    near = np.where((a**2).sum(0) < (b**2).sum(0), a, b)
    reach = np.maximum(np.abs(near[0]), np.abs(near[0]) * 0.5 + np.abs(near[1]) * np.sqrt(3) / 2)
    cell = ramp([c.colour("#7a4206"), c.colour("#e09a10")], np.clip(reach * 2.2, 0, 1))
    return mix(cell, c.colour("#ffd75a"), step(0.38, 0.43, reach))


def parquet(c: Canvas) -> Array:
    """Squares of three short wooden strips, turned by turns."""
    n = c.count(3, 5)
    column, row = np.floor(c.x * n), np.floor(c.y * n)
    turned = (column + row) % 2 == 1
    u, v = saw(c.x * n), saw(c.y * n)
    u, v = np.where(turned, v, u), np.where(turned, u, v)
    strip = np.floor(v * 3)
    tone = _lattice(c, column * 3 + strip, row)
    grain = c.noise(u * 2 + 7 * tone, v * 24 + 5 * column)
    wood = ramp([c.colour("#8a5427"), c.colour("#d29a5c")], np.clip(0.6 * tone + 0.5 * grain, 0, 1))
    return mix(c.colour("#4a2a12"), wood, step(0.0, 0.07, _inset(saw(v * 3), np.clip(u, 0.001, 0.999))))


def chain_link(c: Canvas) -> Array:
    """A grey wire fence of diamonds before green."""
    x, y = c.turned(45)
    n = c.pick(4.5, 6)
    back = mix(c.colour("#35592c"), c.colour("#7ea35c"), c.clouds(5, 3))
    wire = np.minimum(np.abs(saw(x * n) - 0.5), np.abs(saw(y * n) - 0.5))
    out = mix(back, c.colour("#5c6468"), step(0.13, 0.1, wire))
    return mix(out, c.colour("#e8eef0"), step(0.06, 0.03, wire))


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
    return _choose(c, codes, saw(x * c.pick(1.3, 1.8)))


def jellybeans(c: Canvas) -> Array:
    """Heaped glossy oblong sweets of many colours."""
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + c.colour("#5a2033")
    for _ in range(4):
        n = c.pick(4.2, 5.2)
        cell = c.cells(c.x * n + c.pick(0, 9), c.y * n + c.pick(0, 9), 0.7)
        a = cell.v * np.pi
        u = cell.dx * np.cos(a) + cell.dy * np.sin(a)
        v = -cell.dx * np.sin(a) + cell.dy * np.cos(a) + 0.5 * u * u
        r = np.sqrt((np.maximum(np.abs(u) - 0.16, 0) / 0.23) ** 2 + (v / 0.23) ** 2)
        bean = _choose(c, SWEETS[:7], cell.u) * np.clip(1.1 - 0.55 * r**2, 0, 1)[..., None]
        bean = mix(bean, np.ones(3, np.float32), 0.8 * step(0.1, 0.03, np.hypot((u + 0.06) * 0.5, v + 0.08)))
        out = mix(out, bean, step(1.0, 0.9, r))
    return out


def gumballs(c: Canvas) -> Array:
    """Packed glossy balls of many colours."""
    n = c.pick(4.5, 6)
    row = np.floor(c.y * n)
    u, v = saw(c.x * n + 0.5 * (row % 2)) - 0.5, saw(c.y * n) - 0.5
    tone = _choose(c, SWEETS, _lattice(c, np.floor(c.x * n + 0.5 * (row % 2)), row))
    r = np.hypot(u, v) / 0.48
    ball = tone * np.clip(1.1 - 0.6 * r**2, 0, 1)[..., None]
    ball = mix(ball, np.ones(3, np.float32), 0.9 * step(0.13, 0.06, np.hypot(u + 0.14, v + 0.16)))
    return mix(c.colour("#1f1a2a"), ball, step(1.0, 0.92, r))


def sprinkles(c: Canvas) -> Array:
    """Short thin sugar rods of many colours on pink icing."""
    return _scatter(c, c.colour("#f7b3cf"), SWEETS, 0.24, 0.06)


def confetti(c: Canvas) -> Array:
    """Flat paper squares of many colours on white."""
    return _scatter(c, c.colour("#fbfbfb", 0.02), SWEETS[:7], 0.13, 0.13)


def _scatter(c: Canvas, ground: Array, codes: tuple[str, ...], long: float, wide: float) -> Array:
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + ground
    for _ in range(3):
        n = c.pick(5.5, 7)
        cell = c.cells(c.x * n + c.pick(0, 9), c.y * n + c.pick(0, 9), 0.8)
        a = cell.v * 2 * np.pi
        u, v = cell.dx * np.cos(a) + cell.dy * np.sin(a), -cell.dx * np.sin(a) + cell.dy * np.cos(a)
        out = mix(out, _choose(c, codes, cell.u), step(0.03, 0.0, np.maximum(np.abs(u) - long, np.abs(v) - wide)))
    return out


def mosaic(c: Canvas) -> Array:
    """Small square tiles of blues and greens with white joints."""
    n = c.count(8, 10)
    wx, wy = c.warped(0.02, 4)
    tone = _choose(
        c, ("#1b4f8a", "#2f8fb8", "#7fd1c7", "#23705a", "#e9c46a"), _lattice(c, np.floor(wx * n), np.floor(wy * n))
    )
    return mix(c.colour("#f0ede4", 0.02), tone, step(0.05, 0.13, _inset(saw(wx * n), saw(wy * n))))


def stained_glass(c: Canvas) -> Array:
    """Bright glass pieces between black leads."""
    n = c.pick(3.8, 5)
    cell = c.cells(c.x * n, c.y * n, 1.0)
    glass = _choose(c, ("#c81d25", "#f2a900", "#1f7a3d", "#1b3fa0", "#7a2a9a", "#19a7b8"), cell.u)
    glass = glass * (0.75 + 0.35 * c.clouds(6, 2))[..., None]
    return mix(c.colour("#0f0e10", 0.01), np.clip(glass, 0, 1), step(0.07, 0.13, cell.edge))


def woven_basket(c: Canvas) -> Array:
    """Tan strips that go over and under each other."""
    n = c.count(6, 8)
    u, v = saw(c.x * n), saw(c.y * n)
    over = (np.floor(c.x * n) + np.floor(c.y * n)) % 2 == 1
    along, across = np.where(over, u, v), np.where(over, v, u)
    bulge = np.sqrt(np.clip(1 - (2 * along - 1) ** 2, 0, 1)) * step(0.0, 0.2, np.minimum(across, 1 - across))
    lines = 0.85 + 0.15 * wave(across * 3)
    return ramp([c.colour("#3d2611"), c.colour("#b08248"), c.colour("#ecd09a")], np.clip(bulge * lines, 0, 1))


def crumpled_paper(c: Canvas) -> Array:
    """White facets with soft shade between folds."""
    shade = np.zeros_like(c.x)
    for n in (3.0, 6.0):
        cell = c.cells(c.x * n, c.y * n, 1.0)
        shade = shade + (cell.dx * (cell.u - 0.5) + cell.dy * (cell.v - 0.5)) + 0.25 * cell.u
    return ramp([c.colour("#9a9791", 0.03), c.colour("#dedbd4", 0.03), c.colour("#fdfcf8", 0.02)], spread(shade))


def concrete(c: Canvas) -> Array:
    """Flat grey with fine grain and small pits."""
    pits = c.cells(c.x * 11, c.y * 11, 1.0)
    tone = np.clip(0.6 * c.clouds(5, 5) + 0.4 * c.noise(c.x * 50, c.y * 50), 0, 1)
    base = mix(c.colour("#85868a", 0.03), c.colour("#b4b4b2", 0.03), tone)
    return mix(base, c.colour("#55565a"), step(0.12, 0.05, pits.near) * step(0.5, 0.6, pits.u))


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


def circuit_board(c: Canvas) -> Array:
    """Green board with gold tracks and round pads."""
    n = c.count(7, 9)
    column, row = np.floor(c.x * n), np.floor(c.y * n)
    kind = _lattice(c, column, row)
    u, v = saw(c.x * n) - 0.5, saw(c.y * n) - 0.5
    track = np.where(kind < 0.4, np.abs(u), np.where(kind < 0.75, np.abs(v), np.abs(u - v) * 0.7))
    pad = np.hypot(u, v)
    out = mix(c.colour("#0f5a2f"), c.colour("#157a3f"), c.clouds(6, 2))
    out = mix(out, c.colour("#d9b84a"), step(0.1, 0.06, track))
    out = mix(out, c.colour("#f0dc8a"), step(0.33, 0.29, pad) * (kind > 0.6))
    return mix(out, c.colour("#12241a"), step(0.14, 0.1, pad) * (kind > 0.6))


def corrugated_metal(c: Canvas) -> Array:
    """Upright round ribs of grey metal."""
    x, _ = c.turned(0, 3)
    rib = wave(x * c.count(7, 10))
    tone = np.clip(0.85 * rib + 0.25 * (c.noise(c.x * 4, c.y * 30, 2) - 0.5), 0, 1)
    return ramp([c.colour("#3f474d"), c.colour("#9aa5ab"), c.colour("#f0f4f5", 0.02)], tone)


def diamond_plate(c: Canvas) -> Array:
    """Steel with raised slanted lozenges, turned by turns."""
    n = c.count(5, 7)
    column, row = np.floor(c.x * n), np.floor(c.y * n)
    a = np.where((column + row) % 2 == 0, np.pi / 4, -np.pi / 4)
    dx, dy = saw(c.x * n) - 0.5, saw(c.y * n) - 0.5
    u, v = dx * np.cos(a) + dy * np.sin(a), -dx * np.sin(a) + dy * np.cos(a)
    lozenge = step(0.02, -0.06, np.abs(v) - 0.14 * np.clip(1 - (u / 0.5) ** 2, 0, 1))
    steel = mix(c.colour("#6b747a"), c.colour("#8f989d"), c.noise(c.x * 6, c.y * 50, 2))
    return mix(steel, mix(c.colour("#4a5156"), c.colour("#f4f7f8", 0.02), step(0.12, -0.12, v)), lozenge)


def cork(c: Canvas) -> Array:
    """Tan grains with dark flecks."""
    cell = c.cells(c.x * 15, c.y * 15, 1.0)
    base = ramp([c.colour("#a8743c"), c.colour("#dcae72")], cell.u)
    return mix(base, c.colour("#4a2c14"), step(0.12, 0.0, cell.edge) * 0.5 + 0.5 * (cell.v > 0.88))


def newspaper(c: Canvas) -> Array:
    """Columns of small grey print on off-white."""
    n = c.count(11, 14)
    v = saw(c.y * n)
    letters = c.noise(c.x * 42, np.floor(c.y * n) * 3.7) > 0.42
    gutter = np.abs(saw(c.x * 2 + 0.5) - 0.5) > 0.06
    ink = ((v > 0.25) & (v < 0.75) & letters & gutter).astype(np.float32)
    return mix(c.colour("#ece6d6", 0.03), c.colour("#3a3835", 0.03), 0.85 * ink)


def quilt(c: Canvas) -> Array:
    """Padded squares of soft cloth with a stitched cross."""
    n = c.count(3, 5)
    x, y = c.turned(45)
    u, v = saw(x * n), saw(y * n)
    puff = np.clip(_inset(u, v) * 3, 0, 1) ** 0.6
    tone = _choose(c, ("#9b8fd0", "#c9b8ec", "#8aa6dc"), _lattice(c, np.floor(x * n), np.floor(y * n)))
    return np.asarray(tone * (0.45 + 0.6 * puff)[..., None], dtype=np.float32).clip(0, 1)
