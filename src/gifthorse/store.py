"""The run folder: units under their keys, failures beside them, and the one protocol that puts them there.

    RUN/units/ab/<key>/   unit.json (manifest: what it is, from what, the hash of every file), its files, cost.json
    RUN/failures/<key>.json   RUN/claims/<key>   RUN/.tmp/<uuid>/   RUN/plan.json

A unit is made in a temporary folder; its files are synced, ``unit.json`` is written last, and one rename commits it.
So a unit exists when its manifest does, and nothing half-made is ever under its key. No torch here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gifthorse import claims, disk
from gifthorse.disk import FileEntry
from gifthorse.errors import CorruptUnit, InputError, Nondeterminism
from gifthorse.records import SCHEMA, Cell, Cost, Failure, digest, plain, read
from gifthorse.units import COST, MANIFEST, Draft, Unit, corrupt, damage

__all__ = ["Draft", "FileEntry", "Store", "Unit"]

_KEY = re.compile(r"[0-9a-f]{64}")


class Store:
    """A run folder. Opening one writes nothing; the folders are made by the first write."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._seen: set[tuple[str, str]] = set()

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.root,)

    def _folder(self, key: str) -> Path:
        return self.root / "units" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether the unit exists: its manifest does."""
        return (self._folder(key) / MANIFEST).is_file()

    def get(self, key: str) -> Unit:
        """The unit under a key.

        Raises:
            InputError: there is none, or its records are laid out as another version of gifthorse does.
            CorruptUnit: its manifest is damaged.
        """
        folder = self._folder(key)
        try:
            raw = (folder / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"{self.root} has no unit {key}", "run the command that makes it again") from None
        values = disk.unseal(raw)
        if values is None or values.get("key") != key:
            raise corrupt(f"{folder / MANIFEST} is damaged", folder)
        if values.get("schema") != SCHEMA:
            raise InputError(
                f"{folder / MANIFEST} was written with schema {values.get('schema')}; this gifthorse reads {SCHEMA}",
                "use a fresh run folder, or the version of gifthorse that plan.json names",
            )
        return Unit(
            key=key,
            schema=values["schema"],
            kind=values["kind"],
            inputs=values["inputs"],
            data=values["record"],
            files={name: FileEntry(**entry) for name, entry in values["files"].items()},
            path=folder,
            _seen=self._seen,
        )

    def keys(self) -> list[str]:
        """The keys of every unit, sorted."""
        found = (self.root / "units").glob(f"??/*/{MANIFEST}")
        return sorted(path.parent.name for path in found if _KEY.fullmatch(path.parent.name))

    def units(self, kind: str | None = None) -> Iterator[Unit]:
        """Every unit (of a kind), sorted by key."""
        for key in self.keys():
            unit = self.get(key)
            if kind is None or unit.kind == kind:
                yield unit

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Claims a key for this process for the block; yields False where another live one has it."""
        folder = self.root / "claims"
        with contextlib.ExitStack() as stack:
            with disk.speaking(folder / key):
                disk.make_folder(folder)
                mine = stack.enter_context(claims.hold(folder / key))
            yield mine

    @contextlib.contextmanager
    def draft(self, cell: Cell, watch: Callable[[float], None] | None = None) -> Iterator[Draft]:
        """A folder to make a cell's unit in. It is gone when the block ends, committed or not.

        Args:
            cell: what is made.
            watch: told the share that is done, where the maker says it.
        """
        with self._room() as folder:
            yield Draft(folder, watch)

    @contextlib.contextmanager
    def _room(self) -> Iterator[Path]:
        """A temporary folder of this process for the block; if the process dies in it, a sweep removes it."""
        folder = self.root / ".tmp" / uuid.uuid4().hex
        with contextlib.ExitStack() as stack:
            with disk.speaking(folder):
                disk.make_folder(folder.parent)
                stack.enter_context(claims.hold(folder.with_suffix(".lock")))
                folder.mkdir()
            stack.callback(disk.discard, folder)
            yield folder

    def _replace(self, path: Path, values: dict[str, Any]) -> None:
        """Writes a whole sealed file at once, by way of a room, so that a killed process leaves nothing beside it."""
        with disk.speaking(path), self._room() as room:
            disk.replace(path, disk.seal(values), room / path.name)

    def commit(self, draft: Draft, cell: Cell, record: Any, cost: Cost) -> Unit:
        """Makes a draft the unit of its cell.

        Where the unit exists already with the same contents, ours is dropped.

        Raises:
            Nondeterminism: it exists with other contents; both are kept.
            LimitReached: the disk is full; nothing was committed.
            InputError: the folder may not be written.
        """
        with disk.speaking(draft.path):
            manifest = _finish(draft, cell, record, cost)
            target = self._folder(cell.key)
            disk.make_folder(target.parent)
            if not _move(draft.path, target):
                self._compare(draft, target, manifest)
            disk.sync(target.parent)
        return self.get(cell.key)

    def _compare(self, draft: Draft, target: Path, manifest: bytes) -> None:
        there = target / MANIFEST
        if not there.exists():
            # No manifest, so no unit: what lies there was taken apart by hand.
            disk.discard(target)
            if _move(draft.path, target):
                return
        if there.read_bytes() == manifest:
            return
        number = 1
        while not _move(draft.path, target.with_name(f"{target.name}.conflict-{number}")):
            number += 1
        raise Nondeterminism(
            f"{target} was made a second time with other contents, kept in {target.name}.conflict-{number}",
            "compare the two folders; if versions or hardware changed, use a fresh run folder, and please report it",
        )

    def fail(self, failure: Failure) -> None:
        """Notes a failure beside the units."""
        self._replace(self._failure(failure.key), plain(failure))

    def _failure(self, key: str) -> Path:
        return self.root / "failures" / f"{key}.json"

    def failure(self, key: str) -> Failure | None:
        """The failure noted under a key, if there is one.

        Raises:
            CorruptUnit: the note is damaged.
        """
        path = self._failure(key)
        try:
            values = disk.unseal(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return read(Failure, values)
        except InputError as error:
            raise CorruptUnit(f"{path} is damaged", f"remove it (rm {path}) and run the same command again") from error

    def failures(self) -> list[Failure]:
        """Every failure noted, sorted by key."""
        names = sorted(path.stem for path in (self.root / "failures").glob("*.json") if _KEY.fullmatch(path.stem))
        return [found for found in map(self.failure, names) if found is not None]

    def conflict(self, key: str) -> Failure | None:
        """The failure of a unit that is there, while a second content of it lies beside it."""
        failure = self.failure(key)
        there = failure is not None and self.has(key) and any(self._folder(key).parent.glob(f"{key}.conflict-*"))
        return failure if there else None

    def standing(self) -> list[Failure]:
        """The failures that nothing has mended since: of units that are not there, or that have two contents."""
        return [found for found in self.failures() if not self.has(found.key) or self.conflict(found.key)]

    def forgive(self, key: str) -> None:
        """Forgets a failure."""
        with disk.speaking(self._failure(key)):
            self._failure(key).unlink(missing_ok=True)

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Writes ``plan.json``: the command, versions, suite, protocol and keys of this run."""
        self._replace(self.root / "plan.json", plain(plan))

    def read_plan(self) -> dict[str, Any] | None:
        """What :meth:`write_plan` wrote, or None where nothing was planned yet.

        Raises:
            CorruptUnit: the file is damaged.
        """
        path = self.root / "plan.json"
        try:
            raw = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        values = disk.unseal(raw)
        if values is None:
            raise CorruptUnit(f"{path} is damaged", f"remove it (rm {path}) and run the same command again")
        return values

    def prepare(self) -> None:
        """Makes the folders, finds out now whether they can be written, and clears up after dead processes.

        Raises:
            InputError: the folder may not be written, or is no folder.
            LimitReached: the disk is full.
        """
        with disk.speaking(self.root):
            for name in ("units", "claims", "failures", ".tmp"):
                disk.make_folder(self.root / name)
            probe = self.root / ".tmp" / f"{uuid.uuid4().hex}.probe"
            disk.write(probe, b"gifthorse")
            probe.unlink(missing_ok=True)  # another process may have swept it
        self.sweep()

    def sweep(self) -> None:
        """Removes the temporary folders and claims of processes that are dead."""
        for folder in (self.root / ".tmp").glob("*"):
            if folder.suffix == ".probe":
                folder.unlink(missing_ok=True)
            elif folder.suffix == ".lock":
                _clear(folder)
            elif not folder.with_suffix(".lock").exists():
                disk.discard(folder)
        for claim in (self.root / "claims").glob("*"):
            _clear(claim)

    def verify(self) -> list[str]:
        """Reads every byte again and names each damaged, missing, foreign or conflicting file, a line each."""
        problems: list[str] = []
        for folder in sorted((self.root / "units").glob("??/*")):
            problems += self._verify_unit(folder)
        for reading in (self.failures, self.read_plan):
            try:
                reading()
            except CorruptUnit as error:
                problems.append(error.cause)
        return problems

    def _verify_unit(self, folder: Path) -> list[str]:
        if not _KEY.fullmatch(folder.name):
            return [
                f"{folder} is a second content of its unit" if ".conflict-" in folder.name else f"{folder} is no unit"
            ]
        try:
            unit = self.get(folder.name)
        except InputError as error:
            return [error.cause]
        problems = [damage(unit.path / name, entry) for name, entry in sorted(unit.files.items())]
        if unit.key != digest({"schema": unit.schema, "kind": unit.kind, "inputs": unit.inputs}):
            problems.append(f"{folder} does not lie under the key of its inputs")
        if (folder / COST).exists() and unit.cost() is None:
            problems.append(f"{folder / COST} is damaged")
        foreign = {path.name for path in folder.iterdir()} - set(unit.files) - {MANIFEST, COST}
        problems += [f"{folder / name} is not in the manifest" for name in sorted(foreign)]
        return [problem for problem in problems if problem]


def _finish(draft: Draft, cell: Cell, record: Any, cost: Cost) -> bytes:
    """Everything of the protocol before the rename; returns the manifest."""
    for path in draft.path.iterdir():
        if path.name not in draft.files:
            disk.discard(path) if path.is_dir() else path.unlink()
    values = {
        "schema": SCHEMA,
        "key": cell.key,
        "kind": cell.kind,
        "inputs": plain(cell.inputs),
        "record": plain(record),
        "files": {name: plain(entry) for name, entry in draft.files.items()},
    }
    disk.write(draft.path / COST, disk.seal(plain(cost)))
    manifest = disk.seal(values)
    disk.write(draft.path / MANIFEST, manifest)
    disk.sync(draft.path)
    return manifest


def _move(source: Path, target: Path) -> bool:
    try:
        os.rename(source, target)  # noqa: PTH104 -- Path.rename says the same; the protocol's one step stays visible
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _clear(lock: Path) -> None:
    """Removes a lock file whose process is dead, and its temporary folder."""
    with contextlib.suppress(FileNotFoundError), claims.hold(lock, create=False) as mine:
        if mine and lock.suffix == ".lock":
            disk.discard(lock.with_suffix(""))
