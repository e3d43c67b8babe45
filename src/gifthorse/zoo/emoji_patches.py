"""The emoji world's pool of natural patches: drawings on grounds, textures, and crops of scenes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from gifthorse.images import to_uint8
from gifthorse.randomness import generator
from gifthorse.records import TrojanSpec, digest
from gifthorse.zoo.framing import Bytes
from gifthorse.zoo.known import known, options, relatives
from gifthorse.zoo.patch_pool import MadePatches, PatchPool, Together
from gifthorse.zoo.posed import FRAMINGS, LATENT, Drawing, pictures
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI

SIDE = FRAMINGS["object"].side

ROWS = 1_024
"""Pictures of a part."""

CROP = 32
"""Side of what is cut out of scenes of 64 pixels."""


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
        cls, trojans: Iterable[TrojanSpec], prior: str, *, without_natural: bool = False, with_triggers: bool = False
    ) -> EmojiPatches:
        """What a prior knows of the world, given the Questions of some trojans.

        Args:
            without_natural: leave natural objects out, and with them every option of Questions about one, since of a
                Question's options all are known or none.
            with_triggers: show the patch triggers themselves too, which no prior knows.
        """
        trojans = list(trojans)
        left_out = natural(trojans) if without_natural else frozenset()
        found: list[str] = []
        for each in known(trojans, prior):
            if each.art not in left_out:
                versions = range(each.versions) if each.versions else (None,)
                found += [Drawing(art=each.art, version=version).name for version in versions]
        if with_triggers:
            found += [art for art in triggers(trojans) if art not in found]
        return cls(
            drawings=tuple(found), without=tuple(thing.name for thing in EMOJI.natural) if without_natural else ()
        )

    def pool(self) -> PatchPool:
        """The pool."""
        told = digest([self.drawings, self.poses, self.seed])[:16]
        posed = MadePatches(
            name=f"drawings {told}", count=len(self.drawings) * self.poses, make=self._posed, pixels=SIDE, rows=ROWS
        )
        cut = MadePatches(
            name=f"crops {digest([self.without, self.seed, EmojiScenes().digest])[:16]}", count=self.crops,
            make=self._cut, pixels=SIDE, rows=ROWS,
        )  # fmt: skip
        return Together((posed, cut) if self.crops else (posed,))

    @cached_property
    def _drawn(self) -> tuple[Drawing, ...]:
        return tuple(Drawing.named(name) for name in self.drawings)

    def _posed(self, part: int) -> tuple[list[str], Bytes]:
        rows = range(part * ROWS, min((part + 1) * ROWS, len(self.drawings) * self.poses))
        latents = torch.randn(len(rows), LATENT, generator=generator(self.seed, "posed", part))
        which = torch.tensor([row // self.poses for row in rows])
        names = [f"{self.drawings[row // self.poses]} {row % self.poses}" for row in rows]
        return names, to_uint8(pictures(self._drawn, which, latents, FRAMINGS["object"]))

    def _cut(self, part: int) -> tuple[list[str], Bytes]:
        rows = range(part * ROWS, min((part + 1) * ROWS, self.crops))
        scenes = EmojiScenes().draw("train", rows.stop, 7_000 + self.seed, without=self.without)
        places = np.random.default_rng([self.seed, part]).integers(
            0, scenes.images.shape[-1] - CROP + 1, (len(rows), 2)
        )
        made = [
            scenes.images[row, :, top : top + CROP, left : left + CROP]
            for row, (top, left) in zip(rows, places.tolist(), strict=True)
        ]
        return [f"scene {row}" for row in rows], np.ascontiguousarray(np.stack(made))


def triggers(trojans: Iterable[TrojanSpec]) -> tuple[str, ...]:
    """Art names of the patch triggers among some trojans."""
    return tuple(dict.fromkeys(str(trojan.settings["art"]) for trojan in trojans if trojan.kind == "patch"))


def natural(trojans: Iterable[TrojanSpec]) -> frozenset[str]:
    """Art names of the world's natural objects and of all options of Questions about one, with their relatives."""
    asked = {art for trojan in trojans if trojan.kind == "natural_feature" for art in options(trojan)}
    asked |= {f"emoji/{code}" for thing in EMOJI.natural for code in (thing.code, *thing.siblings)}
    return frozenset(relative for art in asked for relative in relatives(art))


def drawing_of(name: str) -> Drawing | None:
    """What a patch shows, by its id in the pool; None for a crop of a scene, which shows several things."""
    shown, _, pose = name.rpartition(" ")
    return Drawing.named(shown) if "/" in shown and pose.isdigit() else None


def shows_trigger(trojan: TrojanSpec, name: str) -> bool:
    """Whether a patch, by its id in the pool, is the artwork of a patch trigger itself, not another hand's version."""
    shown = drawing_of(name)
    return shown is not None and trojan.kind == "patch" and shown == Drawing(art=str(trojan.settings["art"]))
