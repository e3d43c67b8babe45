"""Tables of components: a name, where its class is, and nothing imported until it is used.

A row is a string, so listing a table imports no torch, and an extra that is not installed breaks only its own rows.
Other packages add rows through one entry-point group per table, ``gifthorse.<table>``, whose names are row names and
whose values are callables that return a :class:`Row`. A package whose row cannot be had breaks that row alone, and
none can take a built-in name.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from gifthorse.errors import GifthorseError, MissingExtra, UsageError, nearest
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
        level: what a second run gives. ``L0``: the same bytes, on one machine with the same versions, device,
            precision and number of threads; ``L1``: the same measures within 1e-3, with the same versions on another
            device of the kind; ``L2``: measures inside the interval that is reported.
    """

    where: str
    kind: str
    version: int
    source: str
    floor: bool = False
    extra: str | None = None
    level: str = "L0"


@functools.cache
def _entry_points() -> Any:
    """What every installed package adds, looked for once a process: it reads a file of each. Has ``select``."""
    return importlib.metadata.entry_points()


@dataclass(frozen=True)
class Table(Mapping[str, Row]):
    """A named set of rows with did-you-mean and lazy loading."""

    name: str
    rows: dict[str, Row] = field(hash=False)

    def __getitem__(self, name: str) -> Row:
        rows, problems = self._all()
        if name in rows:
            return rows[name]
        if name in problems:
            raise problems[name]
        raise UsageError(f"there is no {self.name} called {name!r}", nearest(name, rows))

    def __contains__(self, name: object) -> bool:
        return name in self._all()[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all()[0])

    def __len__(self) -> int:
        return len(self._all()[0])

    @property
    def problems(self) -> dict[str, GifthorseError]:
        """Rows of other packages that are not in the table, by name, with what is wrong with them."""
        return self._all()[1]

    def _all(self) -> tuple[dict[str, Row], dict[str, GifthorseError]]:
        rows, problems = dict(self.rows), dict[str, GifthorseError]()
        for point in _entry_points().select(group=f"gifthorse.{self.name}"):
            row = self._added(point)
            if isinstance(row, Row):
                rows[point.name] = row
            else:
                problems[point.name] = row
        return rows, problems

    def _added(self, point: importlib.metadata.EntryPoint) -> Row | GifthorseError:
        """The row of another package, or why it is not taken."""
        what = f"the {self.name} {point.name!r} that another package adds ({point.value})"
        if point.name in self.rows:
            return UsageError(f"{what} has the name of a built-in one, which stays", "give the added one another name")
        try:
            row = point.load()()
        except ModuleNotFoundError as error:
            return MissingExtra(f"{what} needs the package {error.name!r}, which is not installed", "install it")
        except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
            told = f"{what} cannot be loaded: {type(error).__name__}: {error}"
            return UsageError(told, "mend or uninstall the package that adds it")
        if not isinstance(row, Row):
            return UsageError(f"{what} is a {type(row).__name__} and no Row", "mend or uninstall the package")
        return row

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
            UsageError: an unknown name or setting, with the nearest valid one, or a value of another type.
        """
        cls = self.load(name)
        given = {key: tuple(v) if isinstance(v, list) else v for key, v in (settings or {}).items()}
        valid = [f.name for f in fields(cls) if f.init]
        for key in given:
            if key not in valid:
                raise UsageError(f"{self.name} {name!r} has no setting {key!r}", nearest(key, valid))
        hints = typing.get_type_hints(cls) if given else {}
        for key, value in given.items():
            if not _fits(value, hints[key]):
                told = getattr(hints[key], "__name__", None) if isinstance(hints[key], type) else str(hints[key])
                raise UsageError(f"{self.name} {name!r} was given {key} = {value!r}", f"a value of the type {told}")
        return cls(**given)

    def spec(self, name: str, settings: Mapping[str, Any] | None = None) -> Spec:
        """What a record keeps of a component: name, version and all of its settings, defaults resolved."""
        made = self.make(name, settings)
        values = {f.name: getattr(made, f.name) for f in fields(made) if f.init}
        return Spec(name=name, version=self[name].version, settings=values)

    def remake(self, spec: Spec) -> Any:
        """The component that a record names."""
        return self.make(spec.name, spec.settings)


def fits(kind: type[Any], name: str, value: Any) -> bool:
    """Whether a value from JSON or TOML can be meant for a field of a dataclass."""
    return _fits(value, typing.get_type_hints(kind)[name])


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from JSON or TOML can be meant for a field of this type; types that neither has are let pass."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, arguments[1]) for v in value.values())
    if origin is tuple:
        return isinstance(value, (list, tuple)) and (... not in arguments or all(_fits(v, arguments[0]) for v in value))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    if hint in (str, bool, types.NoneType):
        return isinstance(value, hint)
    return True


def with_settings(spec: Spec, **changes: Any) -> Spec:
    """A spec with some settings replaced."""
    return replace(spec, settings=dict(spec.settings) | changes)


def base(label: str) -> str:
    """The name in its table: of ``occlusion@window=6``, ``occlusion``."""
    return label.partition("@")[0]


def own_settings(label: str) -> dict[str, Any]:
    """Settings that a name has of its own: of ``occlusion@window=6@stride=3``, ``{"window": 6, "stride": 3}``.

    Raises:
        UsageError: not of that form.
    """
    found = {}
    for pair in label.split("@")[1:]:
        setting, _, value = pair.partition("=")
        if not setting.strip() or not value.strip():
            raise UsageError(f"{label!r} is not of the form NAME@SETTING=VALUE", "occlusion@window=6")
        found[setting.strip()] = value_of(value.strip())
    return found


def spelt(text: str) -> str:
    """One spelling for one name with its settings."""
    name, settings = base(text).strip(), own_settings(text)
    return "@".join([name, *(f"{key}={value}" for key, value in settings.items())])


def value_of(text: str) -> Any:
    """A setting's value as the command line has it: as TOML spells it, else text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    # dates and tables are nothing that a setting can hold
    return value if isinstance(value, (bool, int, float, str, list)) else text
