"""The contract of every captioner: the pictures of one found set in, a Caption out, with the checks in one place."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gifthorse.errors import InputError
from gifthorse.images import from_uint8, over
from gifthorse.records import Caption, Evidence, Finding, Insertion, Spec, digest
from gifthorse.zoo.patch_pool import PatchPool
from gifthorse.zoo.pool_sample import sampled

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Encoder(Protocol):
    """What a captioner needs of an image-text encoder.

    Attributes:
        vocabulary: what it was trained on: the concepts that it has words for.
        digest: of weights and vocabulary.
    """

    vocabulary: frozenset[str]
    digest: str

    def images(self, images: Tensor, /) -> Tensor:
        """``(N, 3, H, W)`` float32 in [0, 1] to ``(N, D)`` of unit norm."""

    def texts(self, texts: list[str], /) -> Tensor:
        """M strings to ``(M, D)`` of unit norm."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Random pictures of the pool that a set was found in.

    Attributes:
        embeddings: ``(N, D)`` float32 of norm 1, by the encoder that captions.
        marks: ``(N,)``, :func:`mark` of each.
        total: pictures that the pool has.
    """

    embeddings: Floats
    marks: npt.NDArray[np.bytes_]
    total: int

    @classmethod
    def of(cls, pool: PatchPool, encoder: Encoder, count: int, seed: int) -> Reference:
        """Random pictures of a pool, drawn and embedded; reads the whole pool once.

        Args:
            pool: of patches.
            encoder: that captions.
            count: how many, or all where there are no more.
            seed: of the draw.
        """
        _, pictures, total = sampled(pool, count, seed)
        marks = np.array([mark(picture) for picture in pictures], dtype="S32")
        return cls(embeddings=embedded(encoder, from_uint8(pictures)), marks=marks, total=total)

    def without(self, pictures: Bytes) -> Reference:
        """The same but for some pictures ``(n, 3, h, w)``, so that none is in the set and in the sample."""
        found = np.array([mark(picture) for picture in pictures])
        other = ~np.isin(self.marks, found)
        return replace(self, embeddings=self.embeddings[other], marks=self.marks[other])


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a captioner looks with and at.

    Attributes:
        encoder: of images and text, for a captioner that needs one.
        reference: random pictures of the pool; None where the evidence comes from none.
        device: where a captioner's own networks compute.
    """

    encoder: Encoder | None = None
    reference: Reference | None = None
    device: str = "cpu"


def mark(picture: Bytes) -> bytes:
    """By which a picture ``(3, h, w)`` is known again: 32 hex digits of the SHA-256 of its shape and bytes."""
    told = hashlib.sha256(f"{picture.shape}".encode())
    told.update(np.ascontiguousarray(picture).tobytes())
    return told.hexdigest()[:32].encode()


@dataclass(frozen=True, kw_only=True)
class Captioner(ABC):
    """Says what the pictures of a found set have in common. Fields of a subclass are its settings."""

    name: ClassVar[str]
    """Its row in the table ``captioner``."""
    version: ClassVar[int]
    """Of that row; raised whenever its captions change."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """``encoder`` and ``reference``, where it looks at them; with a reference it has a setting ``sample``, its size."""
    places: ClassVar[tuple[str, ...]] = ()
    """Settings that say where something lies: a folder, an address. They are in no key, no unit and no report."""

    @final
    def __call__(self, evidence: Evidence, pictures: Bytes | None, sight: Sight) -> Caption:
        """The caption of the kept findings of one piece of evidence.

        Its ``evidence`` is the digest of the record; a stage, which knows the unit's key, puts that in its place.

        Args:
            evidence: of a synthesis tool.
            pictures: all of its pictures, ``(n, 4, h, w)`` uint8 RGBA; None where it has none.
            sight: what this captioner looks with.

        Raises:
            InputError: the pieces do not belong together, or something that it needs is not there.
        """
        caption = self.blank(evidence)
        if evidence.refusal is not None:
            return replace(caption, not_captioned=f"refused: {evidence.refusal}")
        chosen = [evidence.findings[index].picture for index in evidence.kept]
        shown = [index for index in chosen if index is not None]
        if not shown:
            return replace(caption, not_captioned="the tool kept no picture")
        if pictures is None or pictures.ndim != 4 or pictures.shape[1] != 4 or max(shown) >= len(pictures):
            given = "none" if pictures is None else str(pictures.shape)
            raise InputError(
                f"{evidence.tool.name} on {evidence.trojan}: its pictures are {given}", "pass those of this evidence"
            )
        if "encoder" in self.needs and sight.encoder is None:
            raise InputError(f"the captioner {self.name} was given no encoder", "Sight(encoder=...)")
        return self.caption(replace(caption, n=len(shown)), pictures[shown], sight)

    @final
    def of(self, pictures: Bytes, sight: Sight) -> Caption:
        """The caption of any pictures, which no evidence has to hold; it names a digest of them as its evidence.

        Args:
            pictures: of the set, ``(n, 4, h, w)`` uint8 RGBA, n >= 1.
            sight: what this captioner looks with.

        Raises:
            InputError: they are no such pictures, or something that it needs is not there.
        """
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1] != 4 or not len(pictures):
            raise InputError(
                f"the pictures to caption are {pictures.dtype} of shape {pictures.shape}", "uint8 (n, 4, h, w) RGBA"
            )
        told = digest([mark(picture).decode() for picture in pictures])
        findings = tuple(Finding(insertion=Insertion(kind="frame"), loss=0.0, picture=k) for k in range(len(pictures)))
        evidence = Evidence(
            tool=Spec(name="", version=0), kind="synthesis", network="", trojan="", seed=0, findings=findings,
            kept=tuple(range(len(pictures))), hints=(told,),
        )  # fmt: skip
        return self(evidence, pictures, sight)

    @abstractmethod
    def caption(self, caption: Caption, pictures: Bytes, sight: Sight, /) -> Caption:
        """The science: ``caption`` with its words, or with the reason why there are none.

        Args:
            caption: to fill in.
            pictures: of the set, ``(n, 4, h, w)`` uint8 RGBA, n >= 1.
            sight: what it looks with.
        """

    def ready(self) -> None:  # noqa: B027 -- one that needs nothing is always ready
        """Find out before the work whether what it needs is there.

        Raises:
            InputError: it is not.
        """

    def seen(self) -> dict[str, Any]:
        """What a key keeps of what lies at its places: digests."""
        return {}

    @final
    def spec(self) -> Spec:
        """Name, version and settings, without places."""
        kept = [field.name for field in fields(self) if field.name not in self.places]
        return Spec(name=self.name, version=self.version, settings={name: getattr(self, name) for name in kept})

    @final
    def blank(self, evidence: Evidence) -> Caption:
        """A caption that says nothing yet."""
        return Caption(
            captioner=self.spec(),
            evidence=digest(evidence),
            network=evidence.network,
            tool=evidence.tool.name,
            trojan=evidence.trojan,
        )

    @final
    def seed(self, evidence: str, purpose: str) -> int:
        """Seed of a captioner's draws, from itself and the digest of the evidence."""
        return int(digest({"purpose": purpose, "captioner": self.spec(), "evidence": evidence})[:15], 16)


def flat(pictures: Bytes) -> Tensor:
    """Pictures ``(n, 4, h, w)`` uint8 as an encoder is shown them: over grey, ``(n, 3, h, w)`` float32 in [0, 1]."""
    shown: Tensor = over(from_uint8(pictures)).clamp(0, 1)
    return shown


def embedded(encoder: Encoder, images: Tensor) -> Floats:
    """Images ``(N, 3, H, W)`` float32 in [0, 1] by an encoder: ``(N, D)`` float32 of norm 1, on the CPU."""
    with torch.no_grad():
        made: Floats = encoder.images(images).float().cpu().numpy()
    return made
