"""Every error has an id, a cause and a way out, and the page that draws them is true (P50)."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gifthorse import errors
from gifthorse.errors import GifthorseError, nearest

SOURCE = Path(errors.__file__).parent


def family(cls: type[GifthorseError] = GifthorseError) -> Iterator[type[GifthorseError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from family(child)


ALL = [cls for cls in family() if cls.__module__ == errors.__name__]


def test_ids_are_unique_and_well_formed() -> None:
    ids = [cls.__dict__.get("id") for cls in ALL]
    assert all(isinstance(each, str) and re.fullmatch(r"GH\d{3}", each) for each in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_speaks_of_cause_and_remedy(cls: type[GifthorseError]) -> None:
    error = cls("what was given", "what to do")
    assert str(error) == "what was given\n  try: what to do"
    assert (error.cause, error.remedy) == ("what was given", "what to do")
    assert cls.__doc__
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """Names, parents (by depth) and exit codes."""
    drawn: list[tuple[str, str, str]] = []
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^( {4}[ |`]*(?:-- )?)([A-Z]\w+) +(exit code \d|\d|-) ", line)
        if not found:
            continue
        depth = (len(found[1]) - 4) // 4
        above = [*above[:depth], found[2]]
        drawn.append((found[2], above[depth - 1] if depth else "Exception", found[3].removeprefix("exit code ")))
    real = [
        (cls.__name__, cls.__bases__[0].__name__, "-" if cls.__name__ == "Refusal" else str(cls.exit_code))
        for cls in ALL
    ]
    assert drawn
    assert sorted(drawn) == sorted(real)


def test_exit_codes_are_those_of_the_design() -> None:
    assert {cls.exit_code for cls in ALL} <= {1, 2, 3, 4, 5}


def test_every_error_that_the_package_raises_has_two_arguments() -> None:
    """A cause and a remedy, whichever file raises it; other packages' exceptions are not for callers."""
    names = {cls.__name__ for cls in ALL}
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", None))
            starred = isinstance(node, ast.Call) and any(isinstance(each, ast.Starred) for each in node.args)
            if (
                name in names
                and isinstance(node, ast.Call)
                and not starred
                and len(node.args) + len(node.keywords) != 2
            ):
                wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {name}")
    assert wrong == []


def test_no_error_is_defined_elsewhere() -> None:
    elsewhere = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            bases = [getattr(base, "id", getattr(base, "attr", "")) for base in getattr(node, "bases", [])]
            if (
                isinstance(node, ast.ClassDef)
                and path.name != "errors.py"
                and any(b.endswith(("Error", "Exception")) for b in bases)
            ):
                elsewhere.append(f"{path.relative_to(SOURCE)}: {node.name}")
    assert elsewhere == []


def test_nearest_names_the_guess_and_the_whole_list() -> None:
    assert nearest("saliencey", ["occlusion", "saliency"]) == "did you mean 'saliency'? valid: occlusion, saliency"
    assert nearest("zzz", ["b", "a"]) == "valid: a, b"
    assert nearest("x", []) == "valid: (none)"
