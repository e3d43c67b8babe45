"""Records: one spelling, one digest, and back again unchanged."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import typing
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse import records
from gifthorse.records import SCHEMA, Cell, Spec, canonical, cell, digest, plain, read

RECORDS = [
    cls
    for _, cls in sorted(inspect.getmembers(records, inspect.isclass))
    if dataclasses.is_dataclass(cls) and cls.__module__.startswith(records.__name__)
]
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return JSON
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: values(hints[f.name]) for f in dataclasses.fields(hint)})
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(st.text(max_size=4), values(arguments[1]), max_size=2)
    if origin is not None:
        return st.one_of(*(st.none() if a is type(None) else values(a) for a in arguments))
    simple: dict[type, st.SearchStrategy[Any]] = {
        str: st.text(max_size=8),
        int: st.integers(-(2**53), 2**53),
        float: NUMBERS,
        bool: st.booleans(),
    }
    return simple[hint]


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_record_comes_back_from_its_json(cls: type[Any], data: st.DataObject) -> None:
    record = data.draw(values(cls))
    text = canonical(record)
    again = read(cls, json.loads(text))
    assert again == record
    assert digest(again) == digest(record)
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_every_record_is_frozen_and_keyword_only(cls: type[Any]) -> None:
    parameters = cls.__dataclass_params__
    assert parameters.frozen
    assert all(field.kw_only for field in dataclasses.fields(cls))
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}(")


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_matter(mapping: dict[str, Any], random: Any) -> None:
    shuffled = list(mapping.items())
    random.shuffle(shuffled)
    assert digest(dict(shuffled)) == digest(mapping)


@given(JSON, JSON)
def test_different_values_have_different_digests(left: Any, right: Any) -> None:
    assert (digest(left) == digest(right)) == (canonical(left) == canonical(right))


def test_a_digest_is_what_it_was() -> None:
    """Keys of committed run folders: whoever changes one of these must raise SCHEMA."""
    assert canonical({"b": [1, 2.5, None, True], "a": "é"}) == '{"a":"é","b":[1,2.5,null,true]}'
    assert digest({"b": [1, 2.5, None, True], "a": "é"}) == (
        "0c187fb652afca8017b5ef38178eeef09a9dfef844316f80ba4207cdf1995ee5"
    )
    made = cell("evidence", "label", "m:f", {"tool": Spec(name="x", version=1), "seed": 3})
    assert SCHEMA == 1
    assert made.key == "ddc50b62539de8beaa6e2c29dfdadc7b4012e15a6e0efeba3c95d53c843acba5"


def test_floats_that_json_has_not_become_words() -> None:
    assert plain([math.nan, math.inf, -math.inf]) == ["nan", "inf", "-inf"]
    assert read(records.Interval, {"value": "nan", "low": "-inf", "high": 1, "n": 0}).high == 1.0
    assert math.isnan(read(records.Interval, {"value": "nan", "low": 0, "high": 1, "n": 0}).value)


@pytest.mark.parametrize("value", [object(), b"bytes", {1: object()}, lambda: 0, 1j])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="a record holds JSON values only"):
        plain(value)


def test_sets_have_one_order() -> None:
    assert plain({"b", "a", "c"}) == ["a", "b", "c"]


@dataclass(frozen=True, kw_only=True)
class Newer:
    """A Spec of a later version."""

    name: str
    version: int
    settings: dict[str, Any]
    invented: int = 5


def test_older_code_reads_newer_minor_fields_and_newer_code_older_records() -> None:
    newer = Newer(name="x", version=1, settings={"a": 1})
    assert read(Spec, plain(newer)) == Spec(name="x", version=1, settings={"a": 1})
    assert read(Newer, plain(Spec(name="x", version=1, settings={"a": 1}))) == newer


@given(JSON, JSON, st.floats(0, 10))
def test_a_key_hashes_what_was_seen_and_nothing_else(inputs: Any, context: Any, weight: float) -> None:
    one = cell("evidence", "one", "m:f", {"inputs": inputs})
    same = cell("evidence", "two", "m:g", {"inputs": inputs}, context={"c": context}, weight=weight)
    assert one.key == same.key
    assert cell("effect", "one", "m:f", {"inputs": inputs}).key != one.key
    assert cell("evidence", "one", "m:f", {"inputs": inputs, "more": 0}).key != one.key
    assert read(Cell, plain(same)) == same
