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
from gifthorse.zoo.known import known
from gifthorse.zoo.patch_pool import MadePatches, PatchPool, Together
from gifthorse.zoo.posed import FRAMINGS, LATENT, Drawing, pictures
from gifthorse.zoo.scenes import EmojiScenes

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
    def knowing(cls, trojans: Iterable[TrojanSpec], prior: str) -> EmojiPatches:
        """What a prior knows of the world, given the Questions of some trojans."""
        found: list[str] = []
        for each in known(trojans, prior):
            versions = range(each.versions) if each.versions else (None,)
            found += [Drawing(art=each.art, version=version).name for version in versions]
        return cls(drawings=tuple(found))

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
