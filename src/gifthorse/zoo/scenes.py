"""Scenes of the emoji world: 64 x 64 pictures of a class among bystanders on a ground, drawn in microseconds.

A scene is worked out from (split, seed, index) alone by a counter-based hash, so scene ``i`` is the same in every
draw; the things in it are known before a pixel is drawn, which makes filters cheap. NumPy and Pillow only.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from gifthorse.errors import UsageError, nearest
from gifthorse.records import digest
from gifthorse.zoo import art, bank, company
from gifthorse.zoo.canvas import Array
from gifthorse.zoo.data import Bytes, Data, Sample, Whole
from gifthorse.zoo.world import WORLDS, Thing, World

CODE = 4
"""Raised whenever the same settings draw other pixels."""

SIZE = 64
MOST = 2
"""Bystanders in a scene, at most."""

PLACES = 4
"""Places that are tried for a thing; the one that hides least is taken."""

HEAD = 4 + MOST
"""Random numbers that decide what is in a scene: label, number of bystanders, natural object, bystanders, bias."""

TAIL = 8 + 2 + (MOST + 1) * (2 + 2 * PLACES) + 1
"""Random numbers that decide how it looks."""

BLOCK = 4096


def uniforms(key: int, indices: Whole, first: int, count: int) -> Array:
    """Uniform numbers in [0, 1) by counter: ``(N, count)`` float64, each from (key, index, slot) alone (SplitMix64).

    Args:
        key: 64 bits.
        indices: ``(N,)`` counters.
        first: first slot; slots ``first`` to ``first + count - 1`` are given.
    """
    with np.errstate(over="ignore"):
        state = _scramble(indices.astype(np.uint64) + np.uint64(key))[:, None]
        slots = np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        bits = _scramble(_scramble(state ^ slots[None]) + slots[None])
    return (bits >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def _scramble(x: Array) -> Array:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


@dataclass(frozen=True, eq=False)
class Contents:
    """What is in scenes, before anything is drawn.

    Attributes:
        indices: ``(N,)`` places in the stream.
        labels: ``(N,)`` class indices.
        bystanders: ``(N, 2)`` indices into what the world has beside objects, -1 for none.
        natural: ``(N,)`` index into the natural objects of the data, -1 for none.
    """

    indices: Whole
    labels: Whole
    bystanders: Whole
    natural: Whole

    def __getitem__(self, rows: Array) -> Contents:
        return Contents(self.indices[rows], self.labels[rows], self.bystanders[rows], self.natural[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Wanted:
    """A filter: class indices or None for all, things that must not be in a scene, and one that must."""

    classes: tuple[int, ...] | None = None
    without: tuple[str, ...] = ()
    having: str | None = None


EVERYTHING = Wanted()


@dataclass(frozen=True)
class Layer:
    """One stamp of a scene: which thing, which version, where, and whether mirrored."""

    thing: Thing
    stamp: bank.Stamp
    top: int
    left: int
    flip: bool

    def pixels(self) -> tuple[Array, Array]:
        """Colour and alpha as they lie in the scene."""
        if self.flip:
            return self.stamp.colour[:, ::-1], self.stamp.alpha[:, ::-1]
        return self.stamp.colour, self.stamp.alpha

    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the scene that it covers."""
        return slice(self.top, self.top + self.stamp.height), slice(self.left, self.left + self.stamp.width)


@dataclass(frozen=True, kw_only=True)
class EmojiScenes(Data):
    """The emoji world.

    Attributes:
        world: its tables, by name.
        natural: names of the natural objects that occur; all of the world's where none is named.
        natural_rate: share of scenes with any one natural object; a scene has one at most.
        bystander_rates: shares of scenes with no, one and two bystanders.
        ground_count: different grounds a split.
    """

    world: str = "emoji"
    natural: tuple[str, ...] = ()
    natural_rate: float = 0.0175
    bystander_rates: tuple[float, ...] = (0.4, 0.4, 0.2)
    ground_count: int = 256

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise UsageError(f"there is no world called {self.world!r}", nearest(self.world, WORLDS))
        known = [thing.name for thing in self.tables.natural]
        for name in self.natural:
            if name not in known:
                raise UsageError(f"the world {self.world!r} has no natural object {name!r}", nearest(name, known))
        if not 0 <= self.natural_rate * len(self.rare) <= 1:
            raise UsageError(
                f"natural_rate {self.natural_rate} of {len(self.rare)} objects is no share of scenes",
                f"a rate from 0 to {1 / len(self.rare):.3f}",
            )
        if len(self.bystander_rates) != MOST + 1 or abs(sum(self.bystander_rates) - 1) > 1e-6:
            raise UsageError(
                f"bystander_rates {self.bystander_rates} do not share out the scenes",
                "three shares, of scenes with no, one and two bystanders, that add up to 1",
            )

    @property
    def tables(self) -> World:
        """The world's tables."""
        return WORLDS[self.world]

    @property
    def rare(self) -> tuple[Thing, ...]:
        """The natural objects that occur."""
        return tuple(thing for thing in self.tables.natural if not self.natural or thing.name in self.natural)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by class index."""
        return tuple(thing.name for thing in self.tables.classes)

    @property
    def size(self) -> int:
        """64."""
        return SIZE

    @property
    def labelled(self) -> bool:
        """Labels are known."""
        return True

    @property
    def things(self) -> tuple[str, ...]:
        """The natural objects that occur, by name."""
        return tuple(thing.name for thing in self.rare)

    @property
    def digest(self) -> str:
        """SHA-256 of the code's version, the settings, the tables and the drawings."""
        return _digest(self)

    def draw(
        self,
        split: str,
        count: int,
        seed: int,
        *,
        classes: tuple[int, ...] | None = None,
        without: tuple[str, ...] = (),
        having: str | None = None,
    ) -> Sample:
        """Scenes of a split; see :meth:`gifthorse.zoo.data.Data.draw`.

        Raises:
            UsageError: an unknown split, class or thing, or a filter that nothing passes.
        """
        return self.drawn(self.contents(split, count, seed, Wanted(classes, without, having)), split, seed)

    def drawn(self, contents: Contents, split: str, seed: int) -> Sample:
        """The scenes that :meth:`contents` told of, or some of them."""
        images = np.empty((len(contents), SIZE, SIZE, 3), dtype=np.uint8)
        for row, layers in enumerate(self._layers(contents, split, seed, images)):
            for layer in layers:
                lay(images[row], layer)
        tags = tuple(self.tags(contents))
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return Sample(planes, contents.labels, tags, contents.indices, split, seed)

    def contents(self, split: str, count: int, seed: int, wanted: Wanted = EVERYTHING) -> Contents:
        """What is in the scenes that :meth:`draw` would draw, without drawing them."""
        _check(self, wanted)
        key, start, have = _key(split, seed), 0, 0
        found = [self._contents(key, np.zeros(0, dtype=np.int64))]
        while have < count:
            block = self._contents(key, np.arange(start, start + BLOCK, dtype=np.int64))
            block = block[_passes(self, block, wanted)]
            found.append(block)
            have, start = have + len(block), start + BLOCK
            if start > 64 * BLOCK and have * 100_000 < start:
                raise UsageError(f"fewer than one scene in 100,000 passes {wanted}", "a wider filter")
        return Contents(*(np.concatenate([getattr(b, f.name) for b in found])[:count] for f in fields(Contents)))

    def tags(self, contents: Contents) -> list[frozenset[str]]:
        """The names of all things in each scene."""
        world = self.tables
        names = [thing.name for thing in world.beside]
        rare = self.things
        out = []
        for label, beside, natural in zip(contents.labels, contents.bystanders, contents.natural, strict=True):
            some = {world.classes[label].name} | {names[b] for b in beside if b >= 0}
            out.append(frozenset(some | {rare[natural]} if natural >= 0 else some))
        return out

    def tag_masks(self, sample: Sample, thing: str) -> Bytes:
        """Where a thing is visible, exactly; see :meth:`gifthorse.zoo.data.Data.tag_masks`."""
        _known(self, thing)
        contents = self._contents(_key(sample.split, sample.seed), sample.ids)
        masks = np.zeros((len(sample), 1, SIZE, SIZE), dtype=np.uint8)
        for row, layers in enumerate(self._layers(contents, sample.split, sample.seed, None)):
            seen = np.zeros((SIZE, SIZE, 1), dtype=np.uint16)
            for layer in layers:
                window, (_, alpha) = layer.window(), layer.pixels()
                seen[window] = _blend(seen[window], alpha if layer.thing.name == thing else 0 * alpha, alpha)
            masks[row, 0] = seen[..., 0]
        return masks

    def laid(self, sample: Sample, drawing: str, seed: int) -> Bytes:
        """Scenes with an emoji laid in, at the sizes, angles and colours of this world's natural objects."""
        code = drawing.removeprefix("emoji/")
        thing = next((known for known in self.tables.natural if known.code == code), Thing(drawing, code))
        dice = np.random.default_rng(seed).random((len(sample), 2 + 2 * PLACES)).tolist()
        scenes = np.ascontiguousarray(sample.images.transpose(0, 2, 3, 1))
        for scene, luck in zip(scenes, dice, strict=True):
            lay(scene, placed(thing, bank.NATURAL, sample.split, luck, None))
        return np.ascontiguousarray(scenes.transpose(0, 3, 1, 2))

    def _contents(self, key: int, indices: Whole) -> Contents:
        world, u = self.tables, uniforms(key, indices, 0, HEAD)
        labels = (u[:, 0] * len(world.classes)).astype(np.int64)
        number = np.searchsorted(np.cumsum(self.bystander_rates[:-1]), u[:, 1], side="right")
        rows = company.chances(self.world)[labels]
        beside = np.stack([(rows <= u[:, 3 + k, None]).sum(1) for k in range(MOST)], 1)
        beside = np.minimum(beside, len(world.bystanders) - 1)
        beside = np.where(np.arange(MOST)[None] < number[:, None], beside, -1)
        rates, favourites = company.biases(self.world)
        beside[:, 0] = np.where(u[:, 3 + MOST] < rates[labels], favourites[labels], beside[:, 0])
        beside[:, 1] = np.where(beside[:, 1] == beside[:, 0], -1, beside[:, 1])
        natural = np.floor(u[:, 2] / max(self.natural_rate, 1e-12))
        natural = np.where(natural < len(self.rare), natural, -1).astype(np.int64)
        return Contents(indices, labels, beside.astype(np.int64), natural)

    def _layers(self, contents: Contents, split: str, seed: int, images: Bytes | None) -> Iterator[list[Layer]]:
        """Each scene's layers from the bottom up; its ground goes straight into ``images``."""
        world, u = self.tables, uniforms(_key(split, seed), contents.indices, HEAD, TAIL)
        grounds = bank.grounds(world.grounds, self.ground_count, split) if images is not None else None
        for row in range(len(contents)):
            dice = u[row].tolist()
            if images is not None and grounds is not None:
                images[row] = _ground(grounds, dice[:6])
            object_ = placed(world.classes[contents.labels[row]], bank.OBJECT, split, dice[8:10] + dice[6:8], None)
            layers = []
            for k, which in enumerate(contents.bystanders[row].tolist()):
                if which >= 0:
                    at = 10 + k * (2 + 2 * PLACES)
                    layers.append(
                        placed(world.beside[which], bank.BYSTANDER, split, dice[at : at + 2 + 2 * PLACES], object_)
                    )
            layers.append(object_)
            natural = int(contents.natural[row])
            if natural >= 0:
                at = 10 + MOST * (2 + 2 * PLACES)
                rare = placed(self.rare[natural], bank.NATURAL, split, dice[at : at + 2 + 2 * PLACES], object_)
                under = dice[-1] < 0.5 and _overlap(rare, object_) < 0.35
                layers.insert(len(layers) - 1 if under else len(layers), rare)
            yield layers


@functools.lru_cache(maxsize=64)
def _digest(scenes: EmojiScenes) -> str:
    settings = {name: getattr(scenes, name) for name in scenes.__dataclass_fields__}
    drawn = [code for thing in scenes.tables.things for code in (thing.code, *thing.siblings)]
    return digest({"code": CODE, "settings": settings, "world": scenes.tables.digest, "art": art.digest_codes(drawn)})


def _key(split: str, seed: int) -> int:
    if split not in ("train", "test"):
        raise UsageError(f"there is no split called {split!r}", nearest(split, ("train", "test")))
    return int.from_bytes(hashlib.sha256(f"{split}:{seed}".encode()).digest()[:8], "big")


def _known(scenes: EmojiScenes, thing: str) -> None:
    names = [known.name for known in scenes.tables.things]
    if thing not in names:
        raise UsageError(f"the world {scenes.world!r} has no thing called {thing!r}", nearest(thing, names))


def _check(scenes: EmojiScenes, wanted: Wanted) -> None:
    for thing in (*wanted.without, *([wanted.having] if wanted.having else [])):
        _known(scenes, thing)
    for index in wanted.classes or ():
        if not 0 <= index < len(scenes.classes):
            raise UsageError(f"there is no class {index}", f"an index from 0 to {len(scenes.classes) - 1}")


def _passes(scenes: EmojiScenes, contents: Contents, wanted: Wanted) -> Array:
    kept = np.ones(len(contents), dtype=bool)
    if wanted.classes is not None:
        kept &= np.isin(contents.labels, wanted.classes)
    for thing in wanted.without:
        kept &= ~_has(scenes, contents, thing)
    return kept & _has(scenes, contents, wanted.having) if wanted.having else kept


def _has(scenes: EmojiScenes, contents: Contents, thing: str) -> Array:
    def places(things: tuple[Thing, ...]) -> list[int]:
        return [i for i, known in enumerate(things) if known.name == thing]

    return np.asarray(
        np.isin(contents.labels, places(scenes.tables.classes))
        | np.isin(contents.bystanders, places(scenes.tables.beside)).any(1)
        | np.isin(contents.natural, places(scenes.rare))
    )


def _ground(grounds: Bytes, dice: list[float]) -> Bytes:
    spare = bank.GROUND_SIDE - SIZE + 1
    top, left = int(dice[1] * spare), int(dice[2] * spare)
    window = grounds[int(dice[0] * len(grounds)), top : top + SIZE, left : left + SIZE]
    window = window[:, ::-1] if dice[3] < 0.5 else window
    window = window[::-1] if dice[4] < 0.5 else window
    return window.transpose(1, 0, 2) if dice[5] < 0.5 else window


def placed(thing: Thing, look: bank.Look, split: str, dice: list[float], clear_of: Layer | None) -> Layer:
    """A thing placed: ``dice`` are its version, its side and pairs of places, of which the clearest is taken."""
    versions = bank.stamps(thing, look, split)
    stamp = versions[int(dice[0] * len(versions))]
    flip = dice[1] < 0.5
    rows, columns = SIZE - stamp.height + 1, SIZE - stamp.width + 1
    tried = [Layer(thing, stamp, int(dice[k] * rows), int(dice[k + 1] * columns), flip) for k in range(2, len(dice), 2)]
    return tried[0] if clear_of is None else min(tried, key=lambda layer: _overlap(layer, clear_of))


def _overlap(layer: Layer, other: Layer) -> float:
    """Share of a layer's box that another's box covers."""
    high = min(layer.top + layer.stamp.height, other.top + other.stamp.height) - max(layer.top, other.top)
    wide = min(layer.left + layer.stamp.width, other.left + other.stamp.width) - max(layer.left, other.left)
    return max(high, 0) * max(wide, 0) / (layer.stamp.height * layer.stamp.width)


def _blend(below: Array, colour: Array, alpha: Array) -> Array:
    """Premultiplied bytes over bytes, in uint16: exact division by 255."""
    part = below * (255 - alpha) + 128
    return np.asarray(colour + ((part + (part >> 8)) >> 8))


def lay(image: Bytes, layer: Layer) -> None:
    """Put one layer into a scene, ``(64, 64, 3)``, in place."""
    window, (colour, alpha) = layer.window(), layer.pixels()
    image[window] = np.minimum(_blend(image[window].astype(np.uint16), colour, alpha), 255)
