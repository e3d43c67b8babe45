"""A folder of photographs as a dataset. No torch.

Every JPEG, PNG or WebP below the folder is a photograph. What is drawn depends on the files' contents, not on where
the folder lies, in which order it is listed, or when it was copied: the manifest (relative path, size, SHA-256) is the
dataset. The fifth of the photographs with the least SHA-256 is held out as ``test``; the same picture under two names
is one photograph, so it cannot be in both splits.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gifthorse import disk, gates
from gifthorse.errors import HostileFile, InputError, UsageError, nearest
from gifthorse.records import digest
from gifthorse.zoo import imagenet_classes
from gifthorse.zoo.data import Bytes, Data, Sample
from gifthorse.zoo.framing import framed

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")
SPLITS = ("train", "test")
HELD_OUT = 5
"""One photograph in so many is held out."""

KEPT = 2048
"""Decoded photographs that stay in memory (150 kB each at 224 pixels)."""

_WORDNET = re.compile(r"(?<![a-z0-9])n\d{8}(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """One file: where it is below the root, its length and SHA-256, and its class index (-1 where unknown)."""

    path: str
    bytes: int
    sha256: str
    label: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The photographs of a folder, by ascending SHA-256, each content once.

    Attributes:
        twins: relative paths whose content is already there under a path that sorts before.
    """

    photographs: tuple[Photograph, ...]
    twins: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over (relative path, bytes, SHA-256) of all photographs."""
        return digest([[p.path, p.bytes, p.sha256] for p in self.photographs])

    def split(self, name: str) -> range:
        """Positions of a split's photographs."""
        held_out = round(len(self.photographs) / HELD_OUT)
        return range(held_out) if name == "test" else range(held_out, len(self.photographs))


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Data):
    """Photographs from a folder, resized and cropped as ImageNet classifiers are tested: bicubic, centre crop.

    Labels are ImageNet's: a WordNet id in the file's name, else a class subfolder named by a WordNet id or a class
    name, else unknown (-1). A file that is no image, or that the gates refuse, is left out and counted.

    Attributes:
        root: the folder.
        size: side of the crop in pixels.
        resize: length of the shorter side before the crop.
    """

    places: ClassVar[tuple[str, ...]] = ("root",)

    root: str
    size: int = 224
    resize: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.resize:
            raise UsageError(
                f"a crop of {self.size} pixels does not fit into a shorter side of {self.resize}",
                "let size be at least 1 and at most resize",
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """ImageNet's 1,000 names."""
        return imagenet_classes.names()

    @property
    def labelled(self) -> bool:
        """Whether the class of every photograph is known."""
        return all(photograph.label >= 0 for photograph in self.manifest.photographs)

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest and of how photographs are cropped; the same wherever the folder lies."""
        return digest([self.manifest.digest, self.size, self.resize])

    @property
    def manifest(self) -> Manifest:
        """What is in the folder, read once a process.

        Raises:
            InputError: there is no such folder, or no photograph in it.
        """
        return _manifest(str(Path(self.root).resolve()))

    @property
    def refused(self) -> dict[str, str]:
        """Relative paths of the files that draws left out so far, with the reason."""
        return dict(_REFUSED.get(str(Path(self.root).resolve()), {}))

    def draw(self, split: str, count: int, seed: int, **wanted: Any) -> Sample:
        """Photographs of a split in an order that the seed decides, none twice: at most what is there.

        Args:
            split: ``train`` or ``test``.
            count: at most how many.
            seed: of the order; image ``i`` does not depend on ``count``.
            wanted: ``classes``: class indices, in which -1 lets in photographs of unknown class. ``without`` and
                ``having`` are about tags, which photographs do not have.

        Raises:
            UsageError: no such split, or tags were asked for.
        """
        if split not in SPLITS:
            raise UsageError(f"there is no split {split!r}", nearest(split, SPLITS))
        if tags := [str(w) for key in ("without", "having") for w in _listed(wanted.get(key))]:
            raise UsageError(
                f"photographs of a folder have no tags, so {', '.join(tags)} can be neither asked for nor left out",
                "use trojans that need no tags, or a dataset that knows what is in its images",
            )
        chosen = wanted.get("classes")
        allowed = None if chosen is None else frozenset(chosen)
        ids: list[int] = []
        images: list[Bytes] = []
        for position in self._order(split, seed):
            if len(ids) >= count:
                break
            photograph = self.manifest.photographs[position]
            if allowed is not None and photograph.label not in allowed:
                continue
            pixels = self._pixels(photograph)
            if pixels is not None:
                ids.append(position)
                images.append(pixels)
        shape = (0, 3, self.size, self.size)
        return Sample(
            images=np.stack(images) if images else np.zeros(shape, np.uint8),
            labels=np.array([self.manifest.photographs[i].label for i in ids], np.int64),
            tags=(frozenset(),) * len(ids),
            ids=np.array(ids, np.int64),
            split=split,
            seed=seed,
        )

    def tag_masks(self, sample: Sample, thing: str) -> Bytes:
        """Always an error: nobody marked where things are in these photographs."""
        raise UsageError(
            f"photographs of a folder do not say where {thing!r} is",
            "use a detector, or a dataset that knows what is in its images",
        )

    def _order(self, split: str, seed: int) -> Iterator[int]:
        positions = self.manifest.split(split)
        generator = np.random.Generator(np.random.PCG64([seed, SPLITS.index(split)]))
        for offset in generator.permutation(len(positions)):
            yield positions[int(offset)]

    def _pixels(self, photograph: Photograph) -> Bytes | None:
        root = str(Path(self.root).resolve())
        try:
            return _cropped(root, photograph.path, photograph.sha256, (self.size, self.resize))
        except HostileFile as error:
            _REFUSED.setdefault(root, {})[photograph.path] = error.cause
            return None


_REFUSED: dict[str, dict[str, str]] = {}
"""Folder to relative path to the reason: filled as files are met, since decoding them all beforehand takes minutes."""


def label_of(path: str) -> int:
    """The class index that a relative path tells, or -1.

    A WordNet id in the file's name counts first, then the nearest folder that is a WordNet id or a class name.
    """
    *folders, name = Path(path).parts
    if found := _WORDNET.search(name):
        index = imagenet_classes.index_of(found.group())
        if index is not None:
            return index
    for folder in reversed(folders):
        index = imagenet_classes.index_of(folder)
        if index is not None:
            return index
    return -1


def _listed(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


@functools.lru_cache(maxsize=KEPT)
def _cropped(root: str, path: str, sha256: str, sides: tuple[int, int]) -> Bytes:
    """One photograph as ``(3, size, size)`` uint8, read-only; the hash is in the cache's key."""
    kept = framed(gates.image(Path(root) / path).pixels, *sides)
    kept.flags.writeable = False
    return kept


@functools.lru_cache(maxsize=8)
def _manifest(root: str) -> Manifest:
    if not Path(root).is_dir():
        raise InputError(f"{root} is no folder", "name a folder with JPEG, PNG or WebP photographs")
    kept = _remembered(root)
    hashes: dict[str, list[Any]] = {}
    found: dict[str, Photograph] = {}
    twins: list[str] = []
    for path in sorted(_files(root)):
        size, _, sha256 = hashes[path] = _measured(Path(root) / path, kept.get(path))
        if sha256 in found:
            twins.append(path)
        else:
            found[sha256] = Photograph(path=path, bytes=size, sha256=sha256, label=label_of(path))
    if hashes != kept:
        _remember(root, hashes)
    if not found:
        raise InputError(f"there is no photograph in {root}", f"put files there that end in {', '.join(SUFFIXES)}")
    return Manifest(photographs=tuple(found[sha] for sha in sorted(found)), twins=tuple(twins))


def _files(root: str) -> Iterator[str]:
    """Relative POSIX paths of the image files below a folder; hidden ones and linked folders are passed over."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder) / name
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and path.is_file():
                yield path.relative_to(root).as_posix()


def _measured(path: Path, known: list[Any] | None) -> list[Any]:
    """``[bytes, time of change in ns, SHA-256]`` of a file, hashed only where the first two are not as they were."""
    try:
        state = path.stat()
        if known is not None and known[:2] == [state.st_size, state.st_mtime_ns]:
            return known
        entry = disk.measure(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "change its permissions, or take it out of the folder"
        ) from error
    return [entry.bytes, state.st_mtime_ns, entry.sha256]


def _memory(root: str) -> Path:
    """Where the hashes of a folder's files are remembered between runs: the user's cache, never the folder itself."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gifthorse" / "folders" / f"{digest(root)}.json"


def _remembered(root: str) -> dict[str, list[Any]]:
    with contextlib.suppress(OSError):
        return disk.unseal(_memory(root).read_bytes()) or {}
    return {}


def _remember(root: str, hashes: dict[str, list[Any]]) -> None:
    # Only time is lost where the cache cannot be written.
    with contextlib.suppress(OSError):
        disk.replace(_memory(root), disk.seal(hashes))
