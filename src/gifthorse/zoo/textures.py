"""Named procedural textures: what style trojans and their look-alikes are, and what grounds of scenes are made of.

A texture is drawn afresh for every instance number, so a style source and what an encoder learnt from are
different drawings of one name. Ours; no image of anyone is in it.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

import numpy as np

from gifthorse.errors import UsageError, nearest
from gifthorse.zoo import textures_cloth as cloth
from gifthorse.zoo import textures_made as made
from gifthorse.zoo import textures_nature as nature
from gifthorse.zoo.canvas import Array, Canvas, turn_hue

TEXTURES: dict[str, Callable[[Canvas], Array]] = {
    function.__name__: function
    for function in (
        nature.jaguar,
        nature.cheetah,
        nature.tiger,
        nature.zebra,
        nature.giraffe,
        nature.cow,
        nature.snake_skin,
        nature.crocodile_skin,
        nature.elephant_skin,
        nature.fish_scales,
        nature.feathers,
        nature.fur,
        nature.peacock,
        nature.coral,
        nature.wood_grain,
        nature.tree_bark,
        nature.bamboo,
        nature.straw,
        nature.grass,
        nature.leaves,
        nature.moss,
        nature.marble,
        nature.granite,
        nature.cracked_earth,
        nature.pebbles,
        nature.sand,
        nature.water,
        nature.ice,
        nature.snow,
        nature.sky,
        nature.lava,
        nature.flames,
        nature.galaxy,
        nature.rust,
        nature.bubbles,
        made.brick_wall,
        made.cobblestones,
        made.roof_shingles,
        made.checkerboard,
        made.honeycomb,
        made.parquet,
        made.chain_link,
        cloth.plaid,
        cloth.gingham,
        cloth.argyle,
        cloth.houndstooth,
        cloth.herringbone,
        cloth.chevron,
        cloth.knit,
        cloth.denim,
        cloth.polka_dots,
        cloth.stripes,
        cloth.rainbow,
        made.jellybeans,
        made.gumballs,
        made.sprinkles,
        made.confetti,
        made.mosaic,
        made.stained_glass,
        cloth.woven_basket,
        made.crumpled_paper,
        made.concrete,
        cloth.camouflage,
        cloth.tie_dye,
        made.circuit_board,
        made.corrugated_metal,
        made.diamond_plate,
        made.cork,
        made.newspaper,
        cloth.quilt,
        made.sunburst,
        made.chocolate_bar,
        made.target_rings,
        made.candy_swirls,
        made.carbon_fibre,
    )
}
"""Name to drawing function; the docstring of each says what it shows."""


def caption(name: str) -> str:
    """The words of a texture: its name with spaces."""
    return name.replace("_", " ")


@functools.lru_cache(maxsize=512)
def render(name: str, size: int, instance: int = 0) -> Array:
    """A texture as a picture, drawn at twice the size and averaged down.

    Args:
        name: a key of :data:`TEXTURES`.
        size: side in pixels; the pattern is the same at every size.
        instance: which drawing of the name; places, counts, angles and colours differ.

    Returns:
        ``(size, size, 3)`` float32 in [0, 1], read-only.

    Raises:
        UsageError: no such texture.
    """
    picture = draw(name, size, instance, finer=2)
    picture.flags.writeable = False
    return picture


def draw(name: str, size: int, instance: int, finer: int) -> Array:
    """:func:`render` without its memory, drawn ``finer`` times as large and averaged down."""
    if name not in TEXTURES:
        raise UsageError(f"there is no texture called {name!r}", nearest(name, TEXTURES))
    rng = np.random.default_rng([zlib.crc32(name.encode()), instance])
    hue = float(rng.uniform(-8, 8))
    drawn = np.clip(TEXTURES[name](Canvas(finer * size, rng)), 0, 1).astype(np.float32)
    return turn_hue(drawn.reshape(size, finer, size, finer, 3).mean(axis=(1, 3)), hue)
