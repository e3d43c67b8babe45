"""Named textures of living things, ground and weather. Each function draws one on a :class:`Canvas`, ``(S, S, 3)``."""

from __future__ import annotations

import numpy as np

from gifthorse.zoo.canvas import Array, Canvas, mix, ramp, saw, spread, step, wave


def jaguar(c: Canvas) -> Array:
    """Rosettes: broken dark rings with a browner middle and often a dot inside, on gold."""
    x, y = c.warped(0.02, 7)
    n = c.pick(3.8, 4.8)
    cell = c.cells(x * n, y * n * 1.1, 0.6)
    around = np.arctan2(cell.dy, cell.dx) / (2 * np.pi) + cell.u
    lobes = wave(around * 5)
    radius = 0.31 + 0.05 * lobes + 0.08 * (cell.v - 0.5)
    ring = step(0.1, 0.05, np.abs(cell.near - radius)) * step(0.12, 0.3, lobes)
    ring = ring * step(0.0, 0.06, cell.edge)
    dot = step(0.1, 0.05, cell.near) * (cell.v > 0.35)
    gold = mix(c.colour("#dfa04a"), c.colour("#f0c47a"), c.clouds(4, 3))
    base = mix(gold, c.colour("#b87428"), step(0.0, -0.06, cell.near - radius) * 0.8)
    return mix(base, c.colour("#1f140c", 0.02), np.maximum(ring, dot))


def cheetah(c: Canvas) -> Array:
    """Many small solid round spots on pale yellow."""
    n = c.pick(9, 12)
    cell = c.cells(c.x * n, c.y * n, 0.6)
    size = 0.2 + 0.12 * cell.u
    base = mix(c.colour("#efd493"), c.colour("#dcb56a"), c.clouds(5, 3))
    return mix(base, c.colour("#2a1d12", 0.02), step(0.06, 0.0, cell.near - size))


def tiger(c: Canvas) -> Array:
    """Black tapering stripes on orange, paler on one side."""
    x, y = c.turned(c.pick(60, 120))
    bend = c.noise(x * 3, y * 3, 2)
    bars = wave(x * c.pick(4.5, 6) + 1.1 * bend)
    thick = 0.55 + 0.5 * c.noise(x * 4, y * 5)
    base = mix(c.colour("#ee8a24"), c.colour("#f7c27a"), step(0.55, 1.1, y))
    return mix(base, c.colour("#1a120c", 0.02), step(thick, thick + 0.12, bars))


def zebra(c: Canvas) -> Array:
    """Black and white bent stripes that fork."""
    x, y = c.turned(c.pick(-40, 40) + 90)
    bend = c.noise(x * 2.5, y * 2.5, 2)
    bars = np.sin(2 * np.pi * (x * c.pick(5, 7) + 1.3 * bend))
    return mix(c.colour("#f4f1ea", 0.03), c.colour("#141316", 0.02), step(-0.15, 0.15, bars))


def giraffe(c: Canvas) -> Array:
    """Brown angular patches with cream lines between them."""
    n = c.pick(4.5, 6.5)
    wx, wy = c.warped(0.02, 9)
    cell = c.cells(wx * n, wy * n, 0.8)
    patch = mix(c.colour("#a8612a"), c.colour("#7c4119"), step(0.1, 0.5, cell.near) * 0.7)
    return mix(c.colour("#f0dcb0"), patch, step(0.09, 0.17, cell.edge))


def cow(c: Canvas) -> Array:
    """Large black blotches on white."""
    x, y = c.warped(0.05, 6)
    field = spread(c.noise(x * c.pick(3, 4), y * 3.4, 2))
    return mix(c.colour("#f6f4ef", 0.03), c.colour("#1b1a1c", 0.02), step(0.52, 0.55, field))


def snake_skin(c: Canvas) -> Array:
    """Diamond scales in rows with a dark zigzag over them."""
    x, y = c.turned(0, 8)
    n = c.pick(9, 11)
    u, v = saw(x * n + y * n * 0.6), saw(x * n - y * n * 0.6)
    rim = step(0.0, 0.16, np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)))
    zigzag = np.abs(saw(y * 2.2) - 0.5) * 0.7 + 0.15
    band = step(0.13, 0.09, np.abs(saw(x * 2) * 0.5 + 0.0 - zigzag * 0.7 + 0.05))
    skin = mix(c.colour("#b9a66b"), c.colour("#8f7f45"), c.clouds(6, 2))
    skin = mix(skin, c.colour("#4a3519"), band)
    return np.asarray(skin * (0.45 + 0.55 * rim)[..., None], dtype=np.float32)


def crocodile_skin(c: Canvas) -> Array:
    """Raised square green-brown plates in rows, dark grooves, bright tops."""
    wx, wy = c.warped(0.02, 5)
    n = c.pick(6, 8)
    row = np.floor(wy * n)
    u, v = saw(wx * n + 0.5 * (row % 2)), saw(wy * n)
    inset = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    plate = step(0.02, 0.3, inset)
    glow = step(0.25, 0.5, inset) * step(0.4, 0.7, v)
    base = mix(c.colour("#20281a", 0.03), c.colour("#66743f"), plate)
    return mix(base, c.colour("#b4bd80"), 0.6 * glow * (0.5 + 0.5 * c.clouds(10, 2)))


def elephant_skin(c: Canvas) -> Array:
    """Grey hide with a mesh of fine wrinkles and a few deep folds."""
    wx, wy = c.warped(0.06, 4)
    n = c.pick(8, 11)
    fine = c.cells(wx * n, wy * n * 1.6, 1.0)
    coarse = c.cells(wx * 3, wy * 4.5, 1.0)
    depth = 0.75 * step(0.14, 0.0, fine.edge) + 0.6 * step(0.1, 0.0, coarse.edge)
    hide = mix(c.colour("#9a938c", 0.03), c.colour("#76706b", 0.03), c.clouds(5, 4))
    hide = hide + (0.10 * (0.4 - fine.near))[..., None]
    return mix(hide, c.colour("#38332f", 0.02), np.clip(depth, 0, 0.9))


def fish_scales(c: Canvas) -> Array:
    """Overlapping half-round scales in shining rows."""
    n = c.count(6, 8)
    tone = [c.colour("#2f7f8f"), c.colour("#7fd0c8"), c.colour("#e7f4df")]
    out = np.zeros((*c.x.shape, 3), dtype=np.float32)
    for layer in range(2 * n + 3, -2, -1):
        shift = 0.5 * (layer % 2)
        u = saw(c.x * n + shift) - 0.5
        v = c.y * n * 2 - layer + 1.0
        r = np.sqrt(u * u + (v * 0.5) ** 2) / 0.56
        inside = step(1.0, 0.95, r) * (v > -0.2)
        shade = ramp(tone, np.clip(0.95 - 0.6 * r + 0.1 * u, 0, 1)) * (0.35 + 0.65 * step(1.0, 0.84, r))[..., None]
        out = mix(out, shade, inside.astype(np.float32))
    return out


def feathers(c: Canvas) -> Array:
    """Overlapping rounded feathers with a pale shaft, fine slanted barbs and a dark tip."""
    n = c.count(3, 4)
    out = np.zeros((*c.x.shape, 3), dtype=np.float32)
    for layer in range(2 * n + 2, -3, -1):
        u = saw(c.x * n + 0.5 * (layer % 2)) - 0.5
        v = c.y * n - layer * 0.55
        tip = 1.0 - 2.2 * u * u - v
        barbs = 0.65 + 0.35 * wave(v * 5 - np.abs(u) * 9)
        shade = ramp([c.colour("#3a2618", 0.02), c.colour("#b5875a"), c.colour("#e6d2b4")], np.clip(tip * 1.5, 0, 1))
        shade = mix(shade * barbs[..., None], np.ones(3, np.float32), step(0.05, 0.02, np.abs(u)) * 0.9)
        out = mix(out, shade * step(0.0, 0.08, 0.5 - np.abs(u))[..., None], step(0.0, 0.04, tip))
    return out


def fur(c: Canvas) -> Array:
    """Fine brown hairs that lie one way and part in tufts."""
    x, y = c.turned(c.pick(0, 360))
    flow = c.noise(x * 3, y * 3, 2)
    hair = c.noise(x * 60 + 6 * flow, y * 6 + 5 * flow, 2)
    return ramp([c.colour("#4a2f1c"), c.colour("#96683f"), c.colour("#dcb68a")], spread(hair + 0.5 * flow))


def peacock(c: Canvas) -> Array:
    """Eyes of blue, green and gold on green barbs."""
    n = c.pick(3.2, 4.2)
    cell = c.cells(c.x * n, c.y * n, 0.35)
    r = np.sqrt(cell.dx**2 + (cell.dy * 0.85) ** 2)
    out = mix(c.colour("#0f5a45"), c.colour("#3fa06a"), wave(np.arctan2(cell.dy, cell.dx) * 5))
    for radius, code in ((0.4, "#b5892f"), (0.33, "#2f9a6a"), (0.25, "#27b3c4"), (0.16, "#122a8a")):
        out = mix(out, c.colour(code), step(radius, radius - 0.04, r))
    return out


def coral(c: Canvas) -> Array:
    """Maze of rounded pink ridges, as brain coral has."""
    x, y = c.warped(0.07, 5)
    lines = np.abs(2 * saw(c.noise(x * 6, y * 6, 1) * 4.5) - 1)
    return ramp([c.colour("#7d2644"), c.colour("#e0607f"), c.colour("#ffc2b8")], step(0.1, 0.95, lines))


def wood_grain(c: Canvas) -> Array:
    """Long wavy brown lines with a knot or two."""
    x, y = c.turned(c.pick(-8, 8) + 90 * c.count(0, 1))
    kx, ky = c.pick(0.25, 0.75), c.pick(0.25, 0.75)
    knot = np.exp(-(((x - kx) * 3.2) ** 2 + ((y - ky) * 8) ** 2))
    across = y + 0.07 * c.noise(x * 1.5, y * 3, 2) + 0.11 * knot * np.sign(y - ky)
    rings = saw(across * c.pick(9, 12) + 0.5 * c.noise(x * 2, y * 14))
    fibre = c.noise(x * 6, y * 70, 2)
    tone = np.clip(0.15 + 0.75 * rings**1.5 - 0.35 * (fibre - 0.5) + 0.5 * knot, 0, 1)
    return ramp([c.colour("#d9a566"), c.colour("#b0713a"), c.colour("#5f3315")], tone)


def tree_bark(c: Canvas) -> Array:
    """Upright rough plates with deep dark furrows."""
    wx, wy = c.warped(0.06, 5)
    cell = c.cells(wx * c.pick(7, 9), wy * 2.4, 0.95)
    rough = c.noise(c.x * 30, c.y * 12, 3)
    plate = ramp([c.colour("#4d3a2c"), c.colour("#8a6f58")], np.clip(0.3 + 0.9 * rough * (0.5 + 0.5 * cell.u), 0, 1))
    return mix(c.colour("#1c130d", 0.02), plate, step(0.03, 0.3, cell.edge))


def bamboo(c: Canvas) -> Array:
    """Upright round green canes with pale joints."""
    n = c.count(5, 7)
    cane = np.floor(c.x * n)
    u = saw(c.x * n)
    shift = c.rng.random(LIMIT, dtype=np.float32)[cane.astype(np.int64) % LIMIT]
    joint = saw(c.y * 2.2 + shift)
    round_ = np.sqrt(np.clip(1 - (2 * u - 1) ** 2, 0, 1))
    base = mix(c.colour("#3d6b1d"), c.colour("#a9cf58"), round_ * (0.7 + 0.3 * c.clouds(6, 2)))
    base = mix(base, c.colour("#e4edb0"), step(0.05, 0.03, np.abs(joint - 0.5)))
    return mix(base, c.colour("#2c4a14"), step(0.018, 0.008, np.abs(joint - 0.57)))


LIMIT = 32
"""Most canes, planks or straws across."""


def straw(c: Canvas) -> Array:
    """Many thin yellow stalks lying over each other at slight angles."""
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + c.colour("#6b5220")
    for _ in range(5):
        x, y = c.turned(c.pick(-40, 40))
        n = c.pick(9, 13)
        lane = np.floor(y * n).astype(np.int64) % LIMIT
        u = saw(y * n)
        bright = c.rng.random(LIMIT, dtype=np.float32)[lane]
        run = saw(x * 1.3 + bright * 7)
        stalk = step(0.36, 0.26, np.abs(u - 0.5)) * (run < 0.75) * (bright > 0.3)
        tone = mix(
            c.colour("#a8842f"), c.colour("#f2dc87"), np.clip(bright * 0.6 + 0.5 * (0.5 - np.abs(u - 0.5)), 0, 1)
        )
        out = mix(out, tone, stalk.astype(np.float32))
    return out


def grass(c: Canvas) -> Array:
    """Upright thin green blades."""
    sway = 0.12 * c.noise(c.x * 4, c.y * 3, 2)
    blades = c.noise((c.x + sway) * 40, c.y * 5, 2)
    return ramp([c.colour("#1d4a12"), c.colour("#4f9a2a"), c.colour("#a8d85a")], spread(blades))


def leaves(c: Canvas) -> Array:
    """Overlapping green leaves with a rib."""
    out = np.zeros((*c.x.shape, 3), dtype=np.float32) + c.colour("#12300f")
    for _ in range(4):
        n = c.pick(4, 5.5)
        cell = c.cells(c.x * n + c.pick(0, 9), c.y * n + c.pick(0, 9), 0.8)
        a = cell.u * 2 * np.pi
        u, v = cell.dx * np.cos(a) + cell.dy * np.sin(a), -cell.dx * np.sin(a) + cell.dy * np.cos(a)
        inside = step(0.02, 0.0, np.abs(v) - 0.2 * np.clip(1 - (u / 0.46) ** 2, 0, 1)) * (np.abs(u) < 0.46)
        tone = mix(c.colour("#2f7d2a"), c.colour("#8fcf4d"), np.clip(cell.v + 1.2 * v, 0, 1))
        tone = mix(tone, c.colour("#e4f2b8"), step(0.025, 0.01, np.abs(v)))
        out = mix(out, tone, inside.astype(np.float32))
    return out


def moss(c: Canvas) -> Array:
    """Soft lumps of green with fine speckle."""
    lumps = c.cells(c.x * 6, c.y * 6, 1.0)
    tone = np.clip(0.9 - lumps.near + 0.5 * (c.noise(c.x * 45, c.y * 45, 2) - 0.5), 0, 1)
    return ramp([c.colour("#26330d"), c.colour("#5c7f1e"), c.colour("#a9c24a")], tone)


def marble(c: Canvas) -> Array:
    """Grey veins that wander over white."""
    x, y = c.warped(0.18, 3)
    veins = 1 - np.abs(2 * c.noise(x * 2.2, y * 2.2, 3) - 1)
    fine = 1 - np.abs(2 * c.noise(x * 4, y * 4, 3) - 1)
    depth = 0.85 * step(0.88, 1.0, veins) + 0.4 * step(0.9, 1.0, fine)
    base = mix(c.colour("#f5f3f0", 0.03), c.colour("#cfd0d3", 0.03), c.clouds(3, 4))
    return mix(base, c.colour("#5b5f68"), np.clip(depth, 0, 1))


def granite(c: Canvas) -> Array:
    """Black, grey, pink and white crystals."""
    cell = c.cells(c.x * 24, c.y * 24, 1.0)
    tones = [c.colour(k) for k in ("#2b2a2e", "#77757a", "#b8948a", "#d8d3cf", "#8f8c90", "#f0eeea")]
    return np.stack(tones)[np.minimum((cell.u * len(tones)).astype(np.int64), len(tones) - 1)]


def cracked_earth(c: Canvas) -> Array:
    """Dry tan plates with dark wide cracks."""
    wx, wy = c.warped(0.03, 8)
    n = c.pick(4, 5.5)
    cell = c.cells(wx * n, wy * n, 1.0)
    plate = mix(c.colour("#c79a63"), c.colour("#a87a48"), np.clip(0.6 * cell.u + 0.5 * c.clouds(12, 3), 0, 1))
    return mix(c.colour("#2f1d10", 0.02), plate, step(0.04, 0.12, cell.edge))


def pebbles(c: Canvas) -> Array:
    """Round grey and tan stones, each lit from above."""
    n = c.pick(5, 7)
    cell = c.cells(c.x * n, c.y * n, 0.75)
    tones = np.stack([c.colour(k) for k in ("#9b958c", "#b9a58a", "#6f6e72", "#d6d0c4", "#8a7763")])
    base = tones[np.minimum((cell.u * 5).astype(np.int64), 4)]
    light = np.clip(1.0 - 0.7 * cell.dy - 0.35 * cell.dx - 0.6 * cell.near, 0.3, 1.3)
    return mix(c.colour("#2a2622", 0.02), np.clip(base * light[..., None], 0, 1), step(0.05, 0.2, cell.edge))


def sand(c: Canvas) -> Array:
    """Fine ripples of pale sand."""
    bend = c.noise(c.x * 3, c.y * 3, 2)
    waves = wave(c.y * c.pick(7, 9) + 1.4 * bend)
    grain = c.noise(c.x * 50, c.y * 50)
    return ramp(
        [c.colour("#b08a55"), c.colour("#dcc08a"), c.colour("#f6e6bd")], np.clip(0.75 * waves + 0.3 * grain, 0, 1)
    )


def water(c: Canvas) -> Array:
    """Bright curved nets of light on blue water."""
    x, y = c.warped(0.08, 4)
    n = c.pick(4, 5.5)
    first, second = c.cells(x * n, y * n * 1.3, 1.0), c.cells(y * n + 3, x * n * 1.1, 1.0)
    light = np.clip(step(0.25, 0.0, first.edge) + 0.5 * step(0.2, 0.0, second.edge), 0, 1)
    return ramp([c.colour("#0d4f8a"), c.colour("#2f9bd0"), c.colour("#e4fbff")], light)


def ice(c: Canvas) -> Array:
    """Pale blue sheets with white straight cracks."""
    cell = c.cells(c.x * 3.4, c.y * 3.4, 1.0)
    small = c.cells(c.x * 8, c.y * 8, 1.0)
    base = mix(c.colour("#8fc6e6"), c.colour("#d9f2fb"), np.clip(0.6 * cell.u + 0.5 * c.clouds(4, 3), 0, 1))
    return mix(
        base, np.ones(3, np.float32), np.clip(step(0.06, 0.0, cell.edge) + 0.4 * step(0.05, 0.0, small.edge), 0, 1)
    )


def snow(c: Canvas) -> Array:
    """White drifts with blue shade and sparkle."""
    drift = c.clouds(3, 2)
    sparkle = step(0.9, 1.0, c.noise(c.x * 40, c.y * 40))
    return mix(mix(c.colour("#c3d5ea"), c.colour("#fafcff", 0.02), drift), np.ones(3, np.float32), sparkle)


def sky(c: Canvas) -> Array:
    """White clouds on blue."""
    return mix(c.colour("#4f9be0"), c.colour("#ffffff", 0.02), step(0.42, 0.8, c.clouds(3, 4)))


def lava(c: Canvas) -> Array:
    """Black crust with glowing orange cracks."""
    x, y = c.warped(0.08, 5)
    n = c.pick(3.5, 5)
    cell = c.cells(x * n, y * n, 1.0)
    glow = step(0.32, 0.0, cell.edge)
    return ramp([c.colour("#17100f", 0.02), c.colour("#8a1d08"), c.colour("#ff7a12"), c.colour("#fff08a")], glow)


def flames(c: Canvas) -> Array:
    """Rising tongues of yellow, orange and red on black."""
    sway = c.noise(c.x * 4, c.y * 3, 2) - 0.5
    tongues = c.noise((c.x + 0.25 * sway) * 6, c.y * 2.2, 3)
    heat = np.clip(1.7 * c.y - 0.55 + 1.2 * (tongues - 0.5), 0, 1)
    colours = [c.colour(k, 0.02) for k in ("#120606", "#a81806", "#ff6a00", "#ffd21f", "#fff7c0")]
    return ramp(colours, heat)


def galaxy(c: Canvas) -> Array:
    """Stars and purple haze on black."""
    haze = c.clouds(3, 4)
    base = ramp([c.colour("#05050f", 0.01), c.colour("#2c1458"), c.colour("#c04fb0")], haze**1.5)
    star = c.cells(c.x * 13, c.y * 13, 1.0)
    return mix(base, np.ones(3, np.float32), step(0.05 + 0.12 * star.u, 0.02, star.near))


def rust(c: Canvas) -> Array:
    """Flaking orange-brown patches over grey metal."""
    field = c.clouds(5, 5)
    base = ramp([c.colour("#4a2412"), c.colour("#a84c16"), c.colour("#d98032")], c.clouds(12, 3))
    return mix(c.colour("#78858c"), base, step(0.34, 0.46, field))


def bubbles(c: Canvas) -> Array:
    """Clear round bubbles with a bright rim and a glint, on blue."""
    out = mix(c.colour("#2a79b8"), c.colour("#6fc4e8"), c.y)
    for n, low in ((8.0, 0.0), (4.5, 0.25)):
        cell = c.cells(c.x * n + c.pick(0, 9), c.y * n, 0.5)
        radius = 0.28 + 0.14 * cell.u
        inside = step(0.02, 0.0, cell.near - radius) * (cell.v > low)
        rim = step(0.1, 0.0, np.abs(cell.near - radius + 0.03)) * inside
        glint = step(0.1, 0.04, np.hypot(cell.dx + radius * 0.4, cell.dy + radius * 0.4)) * inside
        out = mix(out, c.colour("#bdeafc"), 0.25 * inside)
        out = mix(out, np.ones(3, np.float32), np.clip(0.85 * rim + glint, 0, 1))
    return out
