"""Pools of patches from files: folders, tar shards and Parquet, decoded on all cores.

A file that is no picture is passed over and counted.
"""

from __future__ import annotations

import itertools
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from gifthorse import gates
from gifthorse.errors import HostileFile, InputError
from gifthorse.records import digest
from gifthorse.zoo.folder import SUFFIXES
from gifthorse.zoo.framing import Bytes, framed
from gifthorse.zoo.patch_pool import ROWS, Part, PatchPool

ENOUGH = 2
"""Sides of a patch that the shorter side of a JPEG must have: a larger one is not decoded whole, since what is resized
to a half or less looks the same."""

TOGETHER = 8
"""Pictures that a thread reads before it hands them over: one by one, it waits for the others each time."""

AHEAD = 16
"""Pictures that are read or wait for it, for each core."""


def square(pixels: Bytes, side: int) -> Bytes:
    """A picture ``(H, W, 3 | 4)`` as a patch ``(3, side, side)``: shorter side resized, the middle cut out."""
    return framed(np.ascontiguousarray(pixels[..., :3]), side, side)


def decoded(sources: Iterable[tuple[str, Callable[[], Bytes]]], side: int) -> tuple[list[str], Bytes, int]:
    """Pictures that can be read, by id, and how many could not; several at once, since decoding is what takes long.

    Args:
        sources: an id and what reads its picture, with ``noted=False``. No more are drawn than are worked on and wait.
    """

    def some(readers: list[Callable[[], Bytes]]) -> list[Bytes | None]:
        return [one(reader) for reader in readers]

    def one(reader: Callable[[], Bytes]) -> Bytes | None:
        try:
            return square(reader(), side)
        except (HostileFile, InputError):
            return None

    names, pictures, lost, left = list[str](), list[Bytes](), 0, iter(sources)
    cores = os.cpu_count() or 1
    with gates.in_threads(), ThreadPoolExecutor(cores) as threads:
        waiting: deque[tuple[tuple[str, ...], Future[list[Bytes | None]]]] = deque()
        while True:
            while len(waiting) < AHEAD // TOGETHER * cores and (more := list(itertools.islice(left, TOGETHER))):
                told, readers = zip(*more, strict=True)
                waiting.append((told, threads.submit(some, list(readers))))
            if not waiting:
                break
            told, made = waiting.popleft()
            there = [(name, picture) for name, picture in zip(told, made.result(), strict=True) if picture is not None]
            names += [name for name, _ in there]
            pictures += [picture for _, picture in there]
            lost += len(told) - len(there)
    return names, np.stack(pictures) if pictures else np.zeros((0, 3, side, side), np.uint8), lost


@dataclass(frozen=True, kw_only=True)
class FilePatches(PatchPool):
    """Pictures that are decoded from files.

    Attributes:
        pixels: side of the patches.
    """

    decoding: ClassVar[int] = 2

    pixels: int = 64

    @property
    def side(self) -> int:
        """Of its pictures in pixels."""
        return self.pixels


@dataclass(frozen=True, kw_only=True)
class FolderPatches(FilePatches):
    """Every JPEG, PNG or WebP below a folder, whole, as a square.

    Attributes:
        folder: where they are.
    """

    folder: Path

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is no folder", "a folder with pictures")
        walked = (Path(root) / name for root, _, names in os.walk(self.folder) for name in names)
        return sorted(path for path in walked if path.suffix.lower() in SUFFIXES)

    def found(self, wanted: AbstractSet[str]) -> dict[str, Bytes]:
        """Those of some pictures that the pool has, by id; reads no other file."""
        files = [path for path in self._files() if path.relative_to(self.folder).as_posix() in wanted]
        names, pictures, _ = _reader(self.folder, files, self.pixels)()
        return dict(zip(names, pictures, strict=True))

    def parts(self) -> Iterator[Part]:
        """So many files each; a part's name has their sizes and times in it, not their contents.

        Raises:
            InputError: there is no such folder.
        """
        files = self._files()
        for start in range(0, len(files), ROWS):
            some = files[start : start + ROWS]
            told = [(path.relative_to(self.folder).as_posix(), *_stamp(path)) for path in some]
            yield Part(f"{told[0][0]} to {told[-1][0]}, {digest(told)[:16]}", _reader(self.folder, some, self.pixels))


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _reader(folder: Path, files: Sequence[Path], side: int) -> Callable[[], tuple[list[str], Bytes, int]]:
    def opener(path: Path) -> Callable[[], Bytes]:
        return lambda: gates.image(path, noted=False, least=ENOUGH * side).pixels

    return lambda: decoded([(path.relative_to(folder).as_posix(), opener(path)) for path in files], side)


@dataclass(frozen=True, kw_only=True)
class TarPatches(FilePatches):
    """The pictures of tar files, such as webdataset's shards; each file is a part.

    Attributes:
        files: the tar files, compressed or not.
    """

    files: tuple[Path, ...]

    def parts(self) -> Iterator[Part]:
        """One a file, named after it, its size and its time.

        Raises:
            InputError: a file is missing.
        """
        for path in self.files:
            if not path.is_file():
                raise InputError(f"{path} is no file", "tar files with pictures")
            yield Part(f"{path.name}, {digest(_stamp(path))[:16]}", _tar_reader(path, self.pixels))


def _tar_reader(path: Path, side: int) -> Callable[[], tuple[list[str], Bytes, int]]:
    def members() -> Iterator[tuple[str, Callable[[], Bytes]]]:
        limits = gates.Limits()
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if not member.isfile() or Path(member.name).suffix.lower() not in SUFFIXES:
                    continue
                file = archive.extractfile(member) if member.size <= limits.bytes else None
                data = file.read() if file is not None else b""
                yield f"{path.name}/{member.name}", _from_bytes(data, member.name, side)

    def read() -> tuple[list[str], Bytes, int]:
        try:
            return decoded(members(), side)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InputError(f"{path} cannot be read to its end: {error}", "copy it again, or leave it out") from error

    return read


def _from_bytes(data: bytes, name: str, side: int) -> Callable[[], Bytes]:
    limits = gates.Limits()
    return lambda: gates.seen(data, name, limits, noted=False, least=ENOUGH * side).pixels


@dataclass(frozen=True, kw_only=True)
class ParquetPatches(FilePatches):
    """A column of encoded pictures in Parquet files; each row group is a part.

    Attributes:
        files: the files.
        column: bytes, or a struct with a field ``bytes`` (as the datasets library writes it).
    """

    files: tuple[Path, ...]
    column: str = "image"

    def parts(self) -> Iterator[Part]:
        """One a row group.

        Raises:
            InputError: a file is missing or is no Parquet file, or has no such column.
        """
        import pyarrow.parquet  # slow to import

        for path in self.files:
            try:
                told = pyarrow.parquet.ParquetFile(path)
            except (OSError, pyarrow.ArrowInvalid) as error:
                raise InputError(f"{path} is no Parquet file: {error}", "Parquet files with pictures") from error
            if self.column not in told.schema_arrow.names:
                names = ", ".join(told.schema_arrow.names)
                raise InputError(f"{path} has no column {self.column!r}", f"one of {names}")
            for group in range(told.num_row_groups):
                yield Part(f"{path.name} {group}, {digest(_stamp(path))[:16]}", self._reader(path, group))

    def _reader(self, path: Path, group: int) -> Callable[[], tuple[list[str], Bytes, int]]:
        def read() -> tuple[list[str], Bytes, int]:
            import pyarrow.parquet

            rows = pyarrow.parquet.ParquetFile(path).read_row_group(group, [self.column]).column(0).to_pylist()
            cells = [row.get("bytes") if isinstance(row, dict) else row for row in rows]
            named = [(f"{path.name}/{group}/{k}", data or b"") for k, data in enumerate(cells)]
            return decoded([(name, _from_bytes(data, name, self.pixels)) for name, data in named], self.pixels)

        return read


def opened(path: Path, pixels: int) -> PatchPool:
    """A pool from a folder of pictures, of tar shards or of Parquet files, or from one such file.

    Raises:
        InputError: it is none of these.
    """
    kinds: dict[str, Callable[[tuple[Path, ...]], PatchPool]] = {
        ".tar": lambda files: TarPatches(files=files, pixels=pixels),
        ".parquet": lambda files: ParquetPatches(files=files, pixels=pixels),
    }
    for suffix, make in kinds.items():
        files = tuple(sorted(path.glob(f"*{suffix}"))) if path.is_dir() else (path,) * (path.suffix == suffix)
        if files:
            return make(files)
    if not path.is_dir():
        raise InputError(
            f"{path} is no pool of pictures", "a folder of images, tar files or Parquet files, or one file"
        )
    return FolderPatches(folder=path, pixels=pixels)
