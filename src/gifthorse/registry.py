"""Tables of components: a name, where its class is, and nothing imported until it is used.

A row is a string, so listing a table imports no torch, and an extra that is not installed breaks only its own rows.
Other packages add rows through one entry-point group per table, ``gifthorse.<table>``, whose names are row names and
whose values are callables that return a :class:`Row`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from gifthorse.errors import MissingExtra, UsageError, nearest
from gifthorse.records import Spec


def load(where: str) -> Any:
    """What ``"module:name"`` names, imported now: the one way in which anything is loaded on use."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Row:
    """One component of a table.

    Attributes:
        where: ``"module:Class"``, loaded on use.
        kind: what it is among its kind (``attribution``, ``patch``, ...).
        version: raised whenever its results change; part of every key.
        source: the paper or the reason, one line.
        floor: whether it is a control or baseline rather than a contender.
        extra: the optional extra that it needs, if any.
    """

    where: str
    kind: str
    version: int
    source: str
    floor: bool = False
    extra: str | None = None


@dataclass(frozen=True)
class Table(Mapping[str, Row]):
    """A named set of rows with did-you-mean and lazy loading."""

    name: str
    rows: dict[str, Row] = field(hash=False)

    def __getitem__(self, name: str) -> Row:
        rows = self._all()
        if name not in rows:
            raise UsageError(f"there is no {self.name} called {name!r}", nearest(name, rows))
        return rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Row]:
        found = importlib.metadata.entry_points(group=f"gifthorse.{self.name}")
        return self.rows | {point.name: point.load()() for point in found}

    def load(self, name: str) -> type[Any]:
        """The class of a row, imported now.

        Raises:
            UsageError: no such name.
            MissingExtra: its optional package is not installed.
        """
        row = self[name]
        try:
            loaded: type[Any] = load(row.where)
        except ModuleNotFoundError as error:
            if row.extra is None:
                raise
            raise MissingExtra(
                f"{self.name} {name!r} needs the package {error.name!r}, which is not installed",
                f"pip install 'gifthorse[{row.extra}]'",
            ) from None
        return loaded

    def make(self, name: str, settings: Mapping[str, Any] | None = None) -> Any:
        """An instance of a row's frozen dataclass.

        Args:
            name: the row.
            settings: field values; lists become tuples, since settings come from JSON and TOML.

        Raises:
            UsageError: an unknown name or setting, with the nearest valid one.
        """
        cls = self.load(name)
        given = {key: tuple(v) if isinstance(v, list) else v for key, v in (settings or {}).items()}
        valid = [f.name for f in fields(cls) if f.init]
        for key in given:
            if key not in valid:
                raise UsageError(f"{self.name} {name!r} has no setting {key!r}", nearest(key, valid))
        return cls(**given)

    def spec(self, name: str, settings: Mapping[str, Any] | None = None) -> Spec:
        """What a record keeps of a component: name, version and all of its settings, defaults resolved."""
        made = self.make(name, settings)
        values = {f.name: getattr(made, f.name) for f in fields(made) if f.init}
        return Spec(name=name, version=self[name].version, settings=values)

    def remake(self, spec: Spec) -> Any:
        """The component that a record names."""
        return self.make(spec.name, spec.settings)


def with_settings(spec: Spec, **changes: Any) -> Spec:
    """A spec with some settings replaced."""
    return replace(spec, settings=dict(spec.settings) | changes)
