"""Tables of components: lazy, and helpful about wrong names."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from gifthorse import registry
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


def test_a_value_of_another_type_is_told_the_right_one() -> None:
    with pytest.raises(UsageError, match="width = 'wide'") as caught:
        TABLE.make("soft", {"width": "wide"})
    assert caught.value.remedy == "a value of the type float"
    with pytest.raises(UsageError, match="colours"):
        TABLE.make("soft", {"colours": [1]})
    assert TABLE.make("soft", {"width": 3}) == Pencil(width=3)


def test_a_name_that_is_not_there_is_not_in_the_table() -> None:
    assert "sofd" not in TABLE


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Adds entry points of the group of pencils, as name=value."""

    def add(**points: str) -> None:
        found = [importlib.metadata.EntryPoint(name, value, "gifthorse.pencil") for name, value in points.items()]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda: importlib.metadata.EntryPoints(found))
        registry._entry_points.cache_clear()

    yield add
    registry._entry_points.cache_clear()


ROW = Row(f"{__name__}:Pencil", "drawing", 7, "elsewhere")


def row() -> Row:
    return ROW


def test_another_package_adds_a_row_by_an_entry_point(added: Callable[..., None]) -> None:
    added(hard=f"{__name__}:row")
    assert TABLE["hard"] == ROW
    assert TABLE.spec("hard").version == 7
    assert len(TABLE) == 5
    assert TABLE.problems == {}


@pytest.mark.parametrize(
    ("where", "error", "told"),
    [
        ("gifthorse_no_such_package.pencils:row", MissingExtra, "needs the package 'gifthorse_no_such_package'"),
        (f"{__name__}:nothing", UsageError, "AttributeError"),
        (f"{__name__}:Row", UsageError, "TypeError"),
        (f"{__name__}:Pencil", UsageError, "is a Pencil and no Row"),
    ],
)
def test_a_broken_row_of_another_package_breaks_itself_alone(
    where: str, error: type[Exception], told: str, added: Callable[..., None]
) -> None:
    added(hard=where)
    assert "hard" not in TABLE
    assert [row.kind for row in TABLE.values()] == ["drawing"] * 4
    assert list(TABLE.problems) == ["hard"]
    for use in (TABLE.__getitem__, TABLE.load, TABLE.make, TABLE.spec):
        with pytest.raises(error, match=told):
            use("hard")


def test_another_package_cannot_take_a_built_in_name(added: Callable[..., None]) -> None:
    added(soft=f"{__name__}:row")
    assert TABLE["soft"].version == 3
    assert "the name of a built-in one" in str(TABLE.problems["soft"])
