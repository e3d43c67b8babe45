"""One spelling for one value: the JSON of a record, its digest, and the record again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

SCHEMA = 1
"""Version of every record's layout; part of every key."""

R = TypeVar("R")


def plain(value: Any) -> Any:
    """JSON values of a record: dataclasses and mappings become dicts, tuples lists, non-finite floats strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a record holds JSON values only, got {type(value).__name__}: {value!r}")


def canonical(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, shortest floats."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of a record or JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def read(cls: type[R], data: Any) -> R:
    """A record again from its JSON values; unknown keys are ignored, so that older code reads newer minor fields."""
    return typing.cast(R, _decode(cls, data))


def _decode(hint: Any, data: Any) -> Any:
    if hint is Any:
        return data
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        return _decode(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple:
        return tuple(_decode(arguments[0], item) for item in data)
    if origin is dict:
        return {key: _decode(arguments[1], item) for key, item in data.items()}
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        known = [f.name for f in dataclasses.fields(hint) if f.name in data]
        return typing.cast(Any, hint)(**{name: _decode(hints[name], data[name]) for name in known})
    if hint is float and data is not None:
        return float(data)
    return data
