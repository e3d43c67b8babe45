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

from gifthorse.errors import InputError

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
    """A record again from its JSON values; unknown keys are ignored, so that older code reads newer minor fields.

    Raises:
        InputError: the values lack a field, or are none of this record.
    """
    try:
        return typing.cast(R, _decode(cls, data))
    except (TypeError, ValueError, AttributeError) as error:
        raise _strange(cls, f"has a field of another kind ({error})") from error


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
        if not isinstance(data, Mapping):
            raise _strange(hint, f"is a {type(data).__name__}")
        if lacking := sorted(f.name for f in dataclasses.fields(hint) if _needed(f) and f.name not in data):
            raise _strange(hint, f"lacks {', '.join(lacking)}")
        known = [f.name for f in dataclasses.fields(hint) if f.name in data]
        return typing.cast(Any, hint)(**{name: _decode(hints[name], data[name]) for name in known})
    if hint is float and data is not None:
        return float(data)
    return data


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _strange(cls: Any, what: str) -> InputError:
    return InputError(
        f"what should be a record {cls.__name__} {what}", "make it again, with the version of gifthorse that reads it"
    )
