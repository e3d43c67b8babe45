"""Writes that survive a killed process and a power cut, and disk errors that say what to do.

Standard library, and numpy on use. Every byte that a run folder holds goes through this file: a file is written, hashed
on the way and synced; a folder entry counts as written when its folder is synced too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gifthorse.errors import InputError, LimitReached
from gifthorse.records import canonical, digest

if TYPE_CHECKING:
    import numpy.typing as npt

SEAL = "seal"
"""Key under which a sealed JSON file keeps the digest of all its other keys."""

CHUNK = 1 << 20
"""Bytes hashed at a time."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_SHUT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENOLCK, errno.ENOTSUP}
_RUST_FULL = ("os error 28", "os error 122", "os error 27", "os error 5)")


@dataclass(frozen=True)
class FileEntry:
    """One file of a unit as its manifest names it: SHA-256 (64 hex digits) and length in bytes."""

    sha256: str
    bytes: int


def full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that the disk ended (no space, quota, file limit or I/O error).

    Writers in other languages hide the number in their text; safetensors' ``(os error 28)`` counts too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if type(seen).__name__ == "SafetensorError" and any(text in str(seen) for text in _RUST_FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def disk_ended(error: BaseException, path: Path) -> LimitReached:
    """The one error for a disk that ended; ``path`` is named where the error itself names no file."""
    name = getattr(error, "filename", None) or path
    reason = getattr(error, "strerror", None) or str(error)
    return LimitReached(
        f"{name} could not be written or read: {reason}",
        "free some space (or repair the disk), then run the same command again: it goes on where this one stopped, "
        "and everything committed so far is whole",
    )


class Ending:
    """A block in which any error that says that the disk ended becomes one :class:`~gifthorse.errors.LimitReached`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, LimitReached) and full(error):
            raise disk_ended(error, self.path) from error


@contextlib.contextmanager
def speaking(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write, inside the block, into errors with a file and a remedy.

    Raises:
        LimitReached: the disk is full, over quota or failing.
        InputError: the folder may not be written, or is no folder.
    """
    try:
        with Ending(path):
            yield
    except OSError as error:
        if error.errno in _SHUT or (error.errno == errno.EEXIST and not path.is_dir()):
            name = error.filename2 or error.filename or path
            raise InputError(
                f"{name} cannot be written: {error.strerror}",
                "name a folder that you may write to on a file system with locks, or change its owner and permissions",
            ) from error
        raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives an operating system's error the name of the file: reading, writing and syncing know only a number."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


class HashingFile:
    """A binary file opened for writing that hashes what passes through, and is synced when its block ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        self._length = 0

    def __enter__(self) -> HashingFile:
        self._file = self.path.open("wb")
        return self

    def write(self, data: bytes | memoryview) -> int:
        """Appends bytes."""
        self._hash.update(data)
        self._length += len(data)
        with naming(self.path):
            return self._file.write(data)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with naming(self.path), self._file as file:
            if kind is None:
                file.flush()
                os.fsync(file.fileno())

    @property
    def entry(self) -> FileEntry:
        """What a manifest says of the bytes so far."""
        return FileEntry(self._hash.hexdigest(), self._length)


def write(path: Path, data: bytes) -> FileEntry:
    """Writes and syncs one file."""
    with HashingFile(path) as file:
        file.write(data)
    return file.entry


def write_array(path: Path, array: npt.NDArray[Any]) -> FileEntry:
    """Writes one array as ``.npy``, the same bytes for the same values: header 1.0, C order, little-endian."""
    import numpy as np  # a fifth of the start-up of commands that touch no array

    flat = np.ascontiguousarray(array).reshape(array.shape)
    fixed = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    with HashingFile(path) as file:
        np.lib.format.write_array(cast(Any, file), fixed, version=(1, 0), allow_pickle=False)
    return file.entry


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file; one of Python objects is refused by numpy."""
    import numpy as np

    loaded: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return loaded


def measure(path: Path) -> FileEntry:
    """Hash and length of a file as it lies on the disk."""
    state, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            state.update(block)
            length += len(block)
    return FileEntry(state.hexdigest(), length)


def sync(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Makes a folder and its parents, and syncs the entries made."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def seal(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON of ``values`` with their digest under ``seal``: a flipped byte anywhere shows."""
    return (canonical({**values, SEAL: digest(values)}) + "\n").encode()


def unseal(data: bytes) -> dict[str, Any] | None:
    """The values of sealed JSON, or None where a byte is not what :func:`seal` wrote."""
    try:
        values = json.loads(data)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    values.pop(SEAL, None)
    return values if seal(values) == data else None


def replace(path: Path, data: bytes, fresh: Path | None = None) -> None:
    """Writes a whole file at once: readers see the old one or the new one, never a part.

    Args:
        path: the file.
        data: its bytes.
        fresh: where they are written first, on the same file system; None for a name of its own beside the file.
    """
    make_folder(path.parent)
    fresh = fresh or path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write(fresh, data)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync(path.parent)


def discard(path: Path) -> None:
    """Removes a folder that nobody needs; what cannot be removed now is removed by a later sweep."""
    shutil.rmtree(path, ignore_errors=True)
