    n = c.count(8, 10)
    wx, wy = c.warped(0.02, 4)
    tone = c.choose(("#1b4f8a", "#2f8fb8", "#7fd1c7", "#23705a", "#e9c46a"), c.lookup(np.floor(wx * n), np.floor(wy * n))
    )
    return mix(c.colour("#f0ede4", 0.02), tone, step(0.05, 0.13, inset(saw(wx * n), saw(wy * n))))


def stained_glass(c: Canvas) -> Array:
