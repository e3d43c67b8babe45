"""The emoji world's pool of natural patches: drawings on grounds, textures, and crops of scenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from gifthorse.errors import UsageError, nearest
from gifthorse.images import to_uint8
from gifthorse.randomness import generator
from gifthorse.records import TrojanSpec, digest
from gifthorse.zoo import openmoji
from gifthorse.zoo.data import Sample
from gifthorse.zoo.framing import Bytes
from gifthorse.zoo.known import known, options, relatives
from gifthorse.zoo.patch_pool import MadePatches, PatchPool, Pick, Together
from gifthorse.zoo.posed import FRAMINGS, LATENT, LATENT_OF, Drawing, pictures
from gifthorse.zoo.scenes import EmojiScenes, Wanted
from gifthorse.zoo.world import EMOJI

SIDE = FRAMINGS["object"].side

ROWS = 1_024
"""Pictures of a part."""

CROP = 32
"""Side of what is cut out of scenes of 64 pixels."""


COVERED = 0.05
"""Share of a crop from which a thing is said to be in it."""


@dataclass(frozen=True, kw_only=True)
class EmojiPatches:
    """How the pool is made.

    Attributes:
        drawings: names of what it shows (:class:`~gifthorse.zoo.posed.Drawing`), that is, what a prior knows.
        poses: pictures of each, turned, moved and coloured, on a ground each.
        crops: windows cut out of scenes of the world.
        without: natural objects that no scene has.
        seed: of every draw.
    """

    drawings: tuple[str, ...]
    poses: int = 16
    crops: int = 6_000
    without: tuple[str, ...] = ()
    seed: int = 0

    @classmethod
    def knowing(
        cls,
        trojans: Iterable[TrojanSpec],
        prior: str,
        *,
        without_natural: bool = False,
        with_triggers: bool = False,
        with_openmoji: bool = False,
    ) -> EmojiPatches:
        """What a prior knows of the world, given the Questions of some trojans.

        Args:
            without_natural: leave natural objects out, and with them every option of Questions about one, since of a
                Question's options all are known or none.
            with_triggers: show the patch triggers themselves too, which no prior knows.
            with_openmoji: show what is no option of a Question in OpenMoji's drawing too.

        Raises:
            MissingExtra: OpenMoji's drawings are asked for, and are not installed.
        """
        trojans = list(trojans)
        left_out = natural(trojans) if without_natural else frozenset()
        found: list[str] = []
        for each in known(trojans, prior):
            if each.art not in left_out:
                versions = range(each.versions) if each.versions else (None,)
                found += [Drawing(art=each.art, version=version).name for version in versions]
        if with_openmoji:
            found += [art for name in list(found) if (art := _by_openmoji(name)) is not None]
        if with_triggers:
            found += [art for art in triggers(trojans) if art not in found]
        return cls(
            drawings=tuple(found), without=tuple(thing.name for thing in EMOJI.natural) if without_natural else ()
        )

    def pool(self) -> PatchPool:
        """The pool."""
        told = digest([self.drawings, self.poses, self.seed])[:16]
        posed = MadePatches(
            name=f"drawings {told}", count=len(self.drawings) * self.poses, make=self._posed, pixels=SIDE, rows=ROWS,
            pick=Pick(self._posed_ids, self._posed_some),
        )  # fmt: skip
        cut = MadePatches(
            name=f"crops {digest([self.without, self.seed, EmojiScenes().digest])[:16]}", count=self.crops,
            make=self._cut, pixels=SIDE, rows=ROWS, pick=Pick(self._cut_ids, self._cut_some),
        )  # fmt: skip
        return Together((posed, cut) if self.crops else (posed,))

    @property
    def ids(self) -> list[str]:
        """Of all its pictures, in order."""
        return [*self._posed_ids(), *self._cut_ids()]

    @cached_property
    def _drawn(self) -> tuple[Drawing, ...]:
        return tuple(Drawing.named(name) for name in self.drawings)

    def _posed_ids(self) -> list[str]:
        return [f"{name} {pose}" for name in self.drawings for pose in range(self.poses)]

    def _posed(self, part: int) -> tuple[list[str], Bytes]:
        rows = range(part * ROWS, min((part + 1) * ROWS, len(self.drawings) * self.poses))
        return self._posed_ids()[rows.start : rows.stop], self._posed_some(part, range(len(rows)))

    def _posed_some(self, part: int, places: Sequence[int]) -> Bytes:
        latents = self._latents(part)[list(places)]
        which = torch.tensor([(part * ROWS + place) // self.poses for place in places])
        return to_uint8(pictures(self._drawn, which, latents, FRAMINGS["object"]))

    def changed(self, ids: Sequence[str], what: str, seed: int) -> Bytes:
        """Some of its drawings again with one thing about them drawn anew, ``(n, 3, side, side)`` uint8.

        Args:
            ids: of drawings, not of crops.
            what: a key of :data:`gifthorse.zoo.posed.LATENT_OF`.

        Raises:
            UsageError: an id that is none of its drawings, or an unknown thing.
        """
        if what not in LATENT_OF:
            raise UsageError(f"{what!r} is nothing that a drawing has", nearest(what, list(LATENT_OF)))
        places = {name: place for place, name in enumerate(self._posed_ids())}
        if missing := [name for name in ids if name not in places]:
            raise UsageError(f"{missing[0]!r} is no drawing of this pool", "an id of one")
        rows = [places[name] for name in ids]
        latents = torch.cat([self._latents(row // ROWS)[[row % ROWS]] for row in rows])
        fresh = torch.randn(len(rows), LATENT, generator=generator(self.seed, what, seed))
        latents[:, LATENT_OF[what]] = fresh[:, LATENT_OF[what]]
        which = torch.tensor([row // self.poses for row in rows])
        return to_uint8(pictures(self._drawn, which, latents, FRAMINGS["object"]))

    def _latents(self, part: int) -> torch.Tensor:
        count = min(ROWS, len(self.drawings) * self.poses - part * ROWS)
        return torch.randn(count, LATENT, generator=generator(self.seed, "posed", part))

    def _cut_ids(self) -> list[str]:
        return [f"scene {row}" for row in range(self.crops)]

    def _cut(self, part: int) -> tuple[list[str], Bytes]:
        rows = range(part * ROWS, min((part + 1) * ROWS, self.crops))
        return self._cut_ids()[rows.start : rows.stop], self._cut_some(part, range(len(rows)))

    def _cut_some(self, part: int, places: Sequence[int]) -> Bytes:
        scenes, corners = self._scenes(part, places)
        return _windows(scenes.images, corners)

    def _scenes(self, part: int, places: Sequence[int]) -> tuple[Sample, list[tuple[int, int]]]:
        """The scenes of some crops of a part, and the top left corner of each crop."""
        count = min(ROWS, self.crops - part * ROWS)
        seed, world = 7_000 + self.seed, EmojiScenes()
        told = world.contents("train", part * ROWS + count, seed, Wanted(without=self.without))
        scenes = world.drawn(told[part * ROWS + np.array(places, dtype=np.int64)], "train", seed)
        corners = np.random.default_rng([self.seed, part]).integers(0, world.size - CROP + 1, (count, 2))
        return scenes, [(int(top), int(left)) for top, left in corners[list(places)]]

    def things_in(self, name: str) -> tuple[str, ...]:
        """Things of the world that a crop shows, the largest first; those that cover less than :data:`COVERED` of it
        do not count.

        Args:
            name: id of a crop.

        Raises:
            UsageError: it is no crop of this pool.
        """
        kind, _, row = name.partition(" ")
        if kind != "scene" or not row.isdecimal() or int(row) >= self.crops:
            raise UsageError(f"{name!r} is no crop of this pool", "an id of one, such as 'scene 17'")
        scenes, corners = self._scenes(int(row) // ROWS, [int(row) % ROWS])
        world, found = EmojiScenes(), []
        for thing in sorted(scenes.tags[0]):
            covered = float(_windows(world.tag_masks(scenes, thing), corners).mean()) / 255
            if covered >= COVERED:
                found.append((-covered, thing))
        return tuple(thing for _, thing in sorted(found))


def _windows(images: Bytes, corners: Sequence[tuple[int, int]]) -> Bytes:
    """The crop of each image ``(N, c, H, W)`` at its corner."""
    cut = [image[:, top : top + CROP, left : left + CROP] for image, (top, left) in zip(images, corners, strict=True)]
    return np.ascontiguousarray(np.stack(cut))


def triggers(trojans: Iterable[TrojanSpec]) -> tuple[str, ...]:
    """Art names of the patch triggers among some trojans."""
    return tuple(dict.fromkeys(str(trojan.settings["art"]) for trojan in trojans if trojan.kind == "patch"))


def natural(trojans: Iterable[TrojanSpec]) -> frozenset[str]:
    """Art names of the world's natural objects and of all options of Questions about one, with their relatives."""
    asked = {art for trojan in trojans if trojan.kind == "natural_feature" for art in options(trojan)}
    asked |= {f"emoji/{code}" for thing in EMOJI.natural for code in (thing.code, *thing.siblings)}
    return frozenset(relative for art in asked for relative in relatives(art))


def _by_openmoji(name: str) -> str | None:
    """The art name of OpenMoji's drawing of the same thing, where it has one and the name is of a drawing as it is."""
    kind, _, code = name.partition("/")
    plain = kind == "emoji" and "~" not in code and "@" not in code
    return f"openmoji/{code}" if plain and openmoji.has(code) else None


def drawing_of(name: str) -> Drawing | None:
    """What a patch shows, by its id in the pool; None for a crop of a scene, which shows several things."""
    shown = name.rpartition(" ")[0]
    return Drawing.named(shown) if shown.startswith(("emoji/", "texture/", "openmoji/")) else None


def shows_trigger(trojan: TrojanSpec, name: str) -> bool:
    """Whether a patch, by its id in the pool, is the artwork of a patch trigger itself, not another hand's version."""
    shown = drawing_of(name)
    return shown is not None and trojan.kind == "patch" and shown == Drawing(art=str(trojan.settings["art"]))
