"""Tables of components: lazy, and helpful about wrong names."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gifthorse.errors import MissingExtra, UsageError
from gifthorse.records import Spec
from gifthorse.registry import Row, Table, with_settings


@dataclass(frozen=True, kw_only=True)
class Pencil:
    """A component of this test."""

    width: float = 1.0
    colours: tuple[str, ...] = ("red",)


TABLE = Table(
    "pencil",
    {
        "soft": Row(f"{__name__}:Pencil", "drawing", 3, "this test"),
        "extra": Row("gifthorse_no_such_package.module:Thing", "drawing", 1, "nowhere", extra="zoo"),
        "broken": Row("gifthorse_no_such_package.module:Thing", "drawing", 1, "nowhere"),
        "ghost": Row("gifthorse.nowhere:Thing", "drawing", 1, "nowhere"),
    },
)


def test_a_table_is_a_mapping_of_its_rows() -> None:
    assert list(TABLE) == ["soft", "extra", "broken", "ghost"]
    assert len(TABLE) == 4
    assert TABLE["soft"].version == 3
    assert "soft" in TABLE


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        TABLE["sofd"]
    assert caught.value.cause == "there is no pencil called 'sofd'"
    assert "did you mean 'soft'?" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_wrong_setting_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="has no setting 'widht'") as caught:
        TABLE.make("soft", {"widht": 2.0})
    assert "did you mean 'width'?" in caught.value.remedy


def test_made_specified_and_remade_it_is_the_same() -> None:
    made = TABLE.make("soft", {"width": 2.0, "colours": ["red", "blue"]})
    assert made == Pencil(width=2.0, colours=("red", "blue"))
    spec = TABLE.spec("soft", {"width": 2.0})
    assert spec == Spec(name="soft", version=3, settings={"width": 2.0, "colours": ("red",)})
    assert TABLE.remake(spec) == Pencil(width=2.0)
    assert with_settings(spec, width=5.0).settings == {"width": 5.0, "colours": ("red",)}
    assert spec.settings["width"] == 2.0


def test_a_missing_extra_is_named_and_a_missing_module_is_a_bug() -> None:
    with pytest.raises(MissingExtra, match="gifthorse_no_such_package") as caught:
        TABLE.load("extra")
    assert caught.value.remedy == "pip install 'gifthorse[zoo]'"
    with pytest.raises(ModuleNotFoundError):
        TABLE.load("broken")


def test_listing_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    assert [row.kind for row in TABLE.values()] == ["drawing"] * 4
    assert {name for name in set(sys.modules) - before if "no_such" in name} == set()


def test_another_package_adds_a_row_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(f"{__name__}:Pencil", "drawing", 7, "elsewhere")

    class Point:
        name = "hard"

        def load(self) -> Callable[[], Row]:
            return lambda: row

    def points(*, group: str) -> list[Any]:
        return [Point()] if group == "gifthorse.pencil" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", points)
    assert TABLE["hard"] == row
    assert TABLE.spec("hard").version == 7
    assert len(TABLE) == 5
