"""What keys of units keep beside plain settings: the versions of our own code, and digests of what names stand for.

A name in a suite (a detector, a drawing, a folder) says nothing of what lies behind it: other weights, other artwork or
another place on the disk under the same name. Keys hold what lies behind it, and never where it lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gifthorse.records import Spec, TrojanSpec, digest, plain
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.poisoning import planted
from gifthorse.zoo import DATA, DETECTORS, art
from gifthorse.zoo.data import Data

CODE = {
    **{"stamped": 3, "trained": 7, "implant": 3, "evidence": 4, "effect": 2, "recovery": 2, "verdict": 1},
    **{"sample": 1, "caption": 1},
}
"""Unit kind to the version of the code that makes it. Raise it whenever the same inputs give another content."""

PICTURE = 64
"""Side of the pictures of triggers and options that people and judges are shown."""


def unasked(trojan: TrojanSpec) -> dict[str, Any]:
    """A trojan's spec without its Question: what training depends on."""
    return {key: value for key, value in plain(trojan).items() if key not in ("question", "published")}


def data_of(spec: Spec) -> dict[str, Any]:
    """What a key keeps of a dataset: which row of the table, and the digest of its images; never its place."""
    data: Data = DATA.remake(spec)
    return {"name": spec.name, "version": spec.version, "digest": data.digest}


def drawn(trojan: TrojanSpec, size: int) -> str:
    """SHA-256 of a trigger's pictures, at the sides in which it is stamped and shown, and of what its decoys are.

    Args:
        trojan: the spec.
        size: of the data's images, in pixels.
    """
    (plant,) = planted([trojan])
    named = trojan.settings.get("art", "")
    count = 1 if isinstance(named, str) else len(named)
    stamped = int(trojan.settings.get("side", size))
    portraits = [plant.trojan.portraits(count, side) for side in sorted({PICTURE, size, stamped})]
    told = _digest(portraits)
    return digest([told, art.origin(plant.trojan.decoys)]) if plant.trojan.decoys else told


def options(trojan: TrojanSpec) -> str | None:
    """SHA-256 of the pictures of a Question's options and spares as they are shown, or None where they are words."""
    question = trojan.question
    names = [option.art for option in (*question.options, *question.spares) if option.art is not None]
    return _digest(art.picture(name, PICTURE) for name in names) if names else None


def detectors(trojans: Sequence[TrojanSpec]) -> dict[str, str]:
    """Name to digest of each detector that finds a trigger of some trojans."""
    names = {plant.trojan.detector for plant in planted(trojans) if isinstance(plant.trojan, NaturalFeature)}
    return {name: _detector(name) for name in sorted(names)}


@lru_cache(maxsize=4)
def _detector(name: str) -> str:
    return str(DETECTORS.make(name).load().digest)


def _digest(pictures: Iterable[np.ndarray]) -> str:
    told = hashlib.sha256()
    for picture in pictures:
        told.update(f"{picture.dtype}:{picture.shape}".encode())
        told.update(np.ascontiguousarray(picture).tobytes())
    return told.hexdigest()
