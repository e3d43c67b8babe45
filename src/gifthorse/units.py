"""One unit of a run folder: read with its bytes verified, or in the making.

A unit is a folder: ``unit.json`` (the manifest: what it is, from what, the hash of every file), its files, and
``cost.json``, which no hash of the manifest covers and no comparison reads.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gifthorse import disk
from gifthorse.disk import FileEntry
from gifthorse.errors import CorruptUnit, InputError
from gifthorse.records import Cost, Images, read

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

R = TypeVar("R")

MANIFEST = "unit.json"
COST = "cost.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _npy(name: str) -> str:
    return name if name.endswith(".npy") else f"{name}.npy"


def damage(path: Path, entry: FileEntry) -> str | None:
    """What is wrong with a file whose manifest entry is ``entry``, naming it, or None."""
    try:
        found = disk.measure(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if found.bytes != entry.bytes:
        return f"{path} has {found.bytes} bytes, and its manifest says {entry.bytes}"
    return None if found == entry else f"{path} has bytes that its manifest does not name"


def corrupt(cause: str, folder: Path) -> CorruptUnit:
    """The error for a damaged file of the unit in ``folder``, with the command that finds all of them."""
    run = folder.parent.parent.parent
    return CorruptUnit(
        cause, f"see all that is damaged with `gifthorse status --verify {run}`; rm -r {folder} and run again"
    )


@dataclass(frozen=True)
class Unit:
    """One committed result. Its files are verified against the manifest the first time that they are read.

    Attributes:
        key: of its cell.
        schema: version of the records that it was written with.
        kind: ``implant``, ``evidence``, ``effect``, ``verdict``, ...
        inputs: what it was made from, JSON values.
        data: its record, JSON values.
        files: every content file by name.
        path: its folder.
    """

    key: str
    schema: int
    kind: str
    inputs: dict[str, Any]
    data: dict[str, Any]
    files: dict[str, FileEntry]
    path: Path
    _seen: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    def record(self, cls: type[R]) -> R:
        """Its record as a dataclass of ``records``.

        Raises:
            CorruptUnit: it lacks fields, or is another record.
        """
        try:
            return read(cls, self.data)
        except InputError as error:
            raise corrupt(f"{self.path / MANIFEST} holds no {cls.__name__}: {error.cause}", self.path) from error

    def file(self, name: str) -> Path:
        """Where a file is, after its bytes were found to be those of the manifest.

        Raises:
            CorruptUnit: they are not, or the file is gone.
            InputError: the unit never had such a file.
        """
        if name not in self.files:
            raise InputError(f"{self.path} has no file {name!r}", f"it has {', '.join(sorted(self.files)) or 'none'}")
        path = self.path / name
        if (self.key, name) not in self._seen:
            problem = damage(path, self.files[name])
            if problem:
                raise corrupt(problem, self.path)
            self._seen.add((self.key, name))
        return path

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return self.file(name).read_bytes()

    def array(self, name: str) -> npt.NDArray[Any]:
        """The array in a ``.npy`` file (the suffix may be left out)."""
        return disk.read_array(self.file(_npy(name)))

    def images(self, images: Images) -> npt.NDArray[np.uint8]:
        """The ``(count, channels, height, width)`` uint8 images that a record of this unit names.

        Raises:
            CorruptUnit: the file is not the one that the record was written with.
        """
        path = self.file(images.file)
        if self.files[images.file].sha256 != images.sha256:
            raise corrupt(f"{path} is not the set of images that its record names", self.path)
        return disk.read_array(path)

    def cost(self) -> Cost | None:
        """What it cost, or None where that was lost: no result depends on it."""
        with contextlib.suppress(OSError, InputError):
            values = disk.unseal((self.path / COST).read_bytes())
            return None if values is None else read(Cost, values)
        return None


class Draft:
    """A unit in the making: a private folder that becomes the unit when it is committed.

    Attributes:
        path: the folder. What is written there directly must be named to :meth:`keep`, or is dropped at the commit.
        forward, backward: images through the classifier so far, for the cost.
        phases: seconds that parts of the work took so far, by name, for the cost.
    """

    def __init__(self, path: Path, watch: Callable[[float], None] | None = None) -> None:
        self.path = path
        self._watch = watch
        self.files: dict[str, FileEntry] = {}
        self.forward = 0
        self.backward = 0
        self.phases: dict[str, float] = {}

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name in (MANIFEST, COST):
            raise InputError(f"{name!r} cannot be the name of a unit's file", "use letters, digits, '.', '_' and '-'")
        return self.path / name

    def write(self, name: str, data: bytes) -> FileEntry:
        """Writes a file of bytes."""
        path = self._place(name)
        with disk.speaking(path):
            self.files[name] = disk.write(path, data)
        return self.files[name]

    def array(self, name: str, array: npt.NDArray[Any]) -> FileEntry:
        """Writes an array as ``.npy`` (the suffix may be left out)."""
        name = _npy(name)
        path = self._place(name)
        with disk.speaking(path):
            self.files[name] = disk.write_array(path, array)
        return self.files[name]

    def images(self, name: str, array: npt.NDArray[np.uint8]) -> Images:
        """Writes ``(N, C, H, W)`` uint8 images as ``.npy``, and returns what a record keeps of them.

        Raises:
            InputError: another type or number of axes.
        """
        if str(array.dtype) != "uint8" or array.ndim != 4:
            raise InputError(
                f"images {name!r} are {array.dtype} of shape {array.shape}", "give uint8 of shape (N, C, H, W)"
            )
        entry = self.array(name, array)
        count, channels, height, width = array.shape
        return Images(sha256=entry.sha256, file=_npy(name), count=count, channels=channels, height=height, width=width)

    def keep(self, path_inside: str | Path) -> FileEntry:
        """Takes a file that was written directly into :attr:`path`: syncs, hashes and enters it."""
        path = self._place(Path(path_inside).name)
        with disk.speaking(path):
            disk.sync(path)
            self.files[path.name] = disk.measure(path)
        return self.files[path.name]

    def count(self, *, forward: int = 0, backward: int = 0) -> None:
        """Adds images that went through the classifier under test."""
        self.forward += forward
        self.backward += backward

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time that a ``with`` takes to a part of the work."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - start

    def progress(self, share: float) -> None:
        """Tells whoever waits how much of this unit is done, 0 to 1. It changes nothing else, and may be left out."""
        if self._watch is not None:
            self._watch(min(max(share, 0.0), 1.0))
