"""Named textures of made things: masonry, sweets, metal, paper. Each function draws one on a Canvas, ``(S, S, 3)``."""

from __future__ import annotations

import numpy as np

from gifthorse.zoo.canvas import Array, Canvas, inset, mix, ramp, saw, spread, step, wave

SWEETS = ("#e0262d", "#f28c1d", "#f7d51e", "#3fae3a", "#2f66d0", "#8d3ab0", "#f28ab8", "#ffffff")
"""Colours of jellybeans, gumballs, sprinkles and confetti."""


def _courses(c: Canvas, rows: int, stretch: float) -> tuple[Array, Array, Array]:
    row = np.floor(c.y * rows)
    across = c.x * rows / stretch + 0.5 * (row % 2)
    return saw(across), saw(c.y * rows), c.lookup(np.floor(across), row)


def brick_wall(c: Canvas) -> Array:
    """Courses of red bricks with pale mortar."""
    rows = c.count(6, 8)
    u, v, tone = _courses(c, rows, 2.2)
    rim = np.minimum(np.minimum(u, 1 - u) * 2.2, np.minimum(v, 1 - v))
    brick = mix(c.colour("#8e3320"), c.colour("#c8603c"), np.clip(0.7 * tone + 0.5 * (c.clouds(20, 2) - 0.3), 0, 1))
    return mix(c.colour("#d9cfc2"), brick, step(0.06, 0.12, rim))


def cobblestones(c: Canvas) -> Array:
    """Rounded grey stones in rows with dark gaps."""
    rows = c.count(5, 6)
    wx, wy = c.warped(0.015, 7)
    row = np.floor(wy * rows)
    u, v = saw(wx * rows + 0.5 * (row % 2)), saw(wy * rows)
    tone = c.lookup(np.floor(wx * rows + 0.5 * (row % 2)), row)
    rim = 0.5 - (np.abs(u - 0.5) ** 4 + np.abs(v - 0.5) ** 4) ** 0.25
    light = np.clip(0.55 + 0.5 * tone + 0.5 * (0.5 - v), 0, 1.2)
    return mix(c.colour("#26262a", 0.02), np.clip(c.colour("#96999f") * light[..., None], 0, 1), step(0.03, 0.13, rim))


def roof_shingles(c: Canvas) -> Array:
    """Rows of rounded slate-red tiles, each row over the next."""
    n = c.count(5, 7)
    out = np.zeros((*c.x.shape, 3), dtype=np.float32)
    for layer in range(n + 2, -2, -1):
        u = saw(c.x * n + 0.5 * (layer % 2)) - 0.5
        v = c.y * n - layer
        edge = 1.0 - 0.35 * (2 * np.abs(u)) ** 3 - v
        tone = c.lookup(np.floor(c.x * n + 0.5 * (layer % 2)), np.full_like(c.x, layer % 64))
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
    tone = c.lookup(column * 3 + strip, row)
    grain = c.noise(u * 2 + 7 * tone, v * 24 + 5 * column)
    wood = ramp([c.colour("#8a5427"), c.colour("#d29a5c")], np.clip(0.6 * tone + 0.5 * grain, 0, 1))
    return mix(c.colour("#4a2a12"), wood, step(0.0, 0.07, inset(saw(v * 3), np.clip(u, 0.001, 0.999))))


def chain_link(c: Canvas) -> Array:
    """A grey wire fence of diamonds before green."""
    x, y = c.turned(45)
    n = c.pick(4.5, 6)
    back = mix(c.colour("#35592c"), c.colour("#7ea35c"), c.clouds(5, 3))
    wire = np.minimum(np.abs(saw(x * n) - 0.5), np.abs(saw(y * n) - 0.5))
    out = mix(back, c.colour("#5c6468"), step(0.13, 0.1, wire))
    return mix(out, c.colour("#e8eef0"), step(0.06, 0.03, wire))


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
        bean = c.choose(SWEETS[:7], cell.u) * np.clip(1.1 - 0.55 * r**2, 0, 1)[..., None]
        bean = mix(bean, np.ones(3, np.float32), 0.8 * step(0.1, 0.03, np.hypot((u + 0.06) * 0.5, v + 0.08)))
        out = mix(out, bean, step(1.0, 0.9, r))
    return out


def gumballs(c: Canvas) -> Array:
    """Packed glossy balls of many colours."""
    n = c.pick(4.5, 6)
    row = np.floor(c.y * n)
    u, v = saw(c.x * n + 0.5 * (row % 2)) - 0.5, saw(c.y * n) - 0.5
    tone = c.choose(SWEETS, c.lookup(np.floor(c.x * n + 0.5 * (row % 2)), row))
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
        out = mix(out, c.choose(codes, cell.u), step(0.03, 0.0, np.maximum(np.abs(u) - long, np.abs(v) - wide)))
    return out


def mosaic(c: Canvas) -> Array:
    """Small square tiles of blues and greens with white joints."""
    n = c.count(8, 10)
    wx, wy = c.warped(0.02, 4)
    tone = c.choose(
        ("#1b4f8a", "#2f8fb8", "#7fd1c7", "#23705a", "#e9c46a"), c.lookup(np.floor(wx * n), np.floor(wy * n))
    )
    return mix(c.colour("#f0ede4", 0.02), tone, step(0.05, 0.13, inset(saw(wx * n), saw(wy * n))))


def stained_glass(c: Canvas) -> Array:
    """Bright glass pieces between black leads."""
    n = c.pick(3.8, 5)
    cell = c.cells(c.x * n, c.y * n, 1.0)
    glass = c.choose(("#c81d25", "#f2a900", "#1f7a3d", "#1b3fa0", "#7a2a9a", "#19a7b8"), cell.u)
    glass = glass * (0.75 + 0.35 * c.clouds(6, 2))[..., None]
    return mix(c.colour("#0f0e10", 0.01), np.clip(glass, 0, 1), step(0.07, 0.13, cell.edge))


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


def circuit_board(c: Canvas) -> Array:
    """Green board with gold tracks and round pads."""
    n = c.count(7, 9)
    column, row = np.floor(c.x * n), np.floor(c.y * n)
    kind = c.lookup(column, row)
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


def sunburst(c: Canvas) -> Array:
    """Straight red and yellow rays from one point."""
    dx, dy = c.x - c.pick(0.35, 0.65), c.y - c.pick(0.4, 0.7)
    rays = wave(np.arctan2(dy, dx) / (2 * np.pi) * c.count(9, 13) + c.pick(0, 1))
    return mix(c.colour("#ffe08a"), c.colour("#e2472a"), step(0.42, 0.58, rays))


def chocolate_bar(c: Canvas) -> Array:
    """Brown squares with bevelled rims."""
    n = c.count(3, 4)
    u, v = saw(c.x * n), saw(c.y * n)
    rim = inset(u, v)
    light = np.where(rim < 0.16, np.where(np.minimum(u, v) < np.minimum(1 - u, 1 - v), 0.95, 0.2), 0.6)
    tone = np.where(rim < 0.03, 0.05, light + 0.08 * (c.clouds(6, 2) - 0.5))
    return ramp([c.colour("#2a1208", 0.02), c.colour("#6b3a1c"), c.colour("#a56a3c")], np.clip(tone, 0, 1))


def target_rings(c: Canvas) -> Array:
    """Red and white rings about many centres, as on targets."""
    n = c.count(2, 3)
    r = np.hypot(saw(c.x * n) - 0.5, saw(c.y * n) - 0.5)
    rings = (np.floor(r * 9) % 2 == 0) & (r < 0.5)
    return mix(c.colour("#f5f2ec", 0.03), c.colour("#c4202e"), rings.astype(np.float32))


def candy_swirls(c: Canvas) -> Array:
    """Round sweets with a pink and white spiral, on mint green."""
    n = c.count(3, 4)
    u, v = saw(c.x * n) - 0.5, saw(c.y * n) - 0.5
    r = np.hypot(u, v)
    swirl = wave(np.arctan2(v, u) / (2 * np.pi) * 3 + r * 3.5)
    sweet = mix(c.colour("#ffffff", 0.02), c.colour("#ea3f86"), step(0.4, 0.6, swirl))
    return mix(c.colour("#9be0c2"), sweet, step(0.45, 0.41, r))


def carbon_fibre(c: Canvas) -> Array:
    """Black twill of shining short bands, stepped sideways row by row."""
    n = c.count(9, 11)
    column, row = np.floor(c.x * n), np.floor(c.y * n)
    over = (column + row) % 4 < 2
    shine = np.where(over, saw(c.x * n), saw(c.y * n))
    tone = np.where(over, 0.2 + 0.7 * wave(shine * 0.5 + 0.75), 0.05 + 0.3 * wave(shine * 0.5 + 0.75))
    return ramp([c.colour("#0c0d10", 0.01), c.colour("#4b5058"), c.colour("#b4bac4")], np.clip(tone, 0, 1))
