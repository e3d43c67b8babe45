"""Every error has an id, a cause and a way out, and the page that draws them is true (P50)."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gifthorse import errors
from gifthorse.captioners.blip import HOW
from gifthorse.errors import GifthorseError, nearest
from gifthorse.tools.attribution.prepared import WAY_OUT

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


CONSTANTS = {"WAY_OUT": WAY_OUT, "HOW": HOW}
"""Remedies that several errors share."""

HELPERS = {"corrupt"}
"""Functions that make an error of a cause that their callers give."""


def spoken(node: ast.expr, within: ast.AST) -> bool:
    """Whether an argument of an error says something: text of its own, the nearest name, or a variable that is text."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value.strip())
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and str(part.value).strip() for part in node.values)
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "nearest"
    if isinstance(node, ast.Attribute):
        return node.attr in ("cause", "remedy")
    if isinstance(node, ast.IfExp):
        return spoken(node.body, within) and spoken(node.orelse, within)
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return bool(CONSTANTS[node.id].strip())
    if isinstance(node, ast.Name):
        named = [each for each in ast.walk(within) if isinstance(each, ast.Assign)]
        values = [each.value for each in named if getattr(each.targets[0], "id", "") == node.id]
        return bool(values) and all(spoken(value, within) for value in values)
    return False


def mute(text: str) -> list[int]:
    """Lines of a file on which an error is made without a cause or without a remedy."""
    names, found = {cls.__name__ for cls in ALL}, []
    tree = ast.parse(text)
    functions = [each for each in ast.walk(tree) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for function in functions:
        for node in ast.walk(function):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if not isinstance(node, ast.Call) or name not in names:
                continue
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            said = [spoken(each, function) or (function.name in HELPERS and each is given[0]) for each in given]
            if len(given) != 2 or not all(said):
                found.append(node.lineno)
    return sorted(set(found))


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_error_that_is_raised_has_a_cause_and_a_remedy(path: Path) -> None:
    assert mute(path.read_text()) == []


def test_an_error_without_a_word_is_found() -> None:
    wrong = (
        'def one():\n    raise InputError("", "do this")\n'
        'def two(x):\n    raise UsageError(x, "do this")\n'
        'def three(x):\n    raise UsageError(f"{x}", "do this")\n'
        'def four():\n    raise InputError("what is wrong")\n'
        'def five():\n    told = " "\n    raise InputError("what is wrong", told)\n'
        'def six():\n    raise InputError("what is wrong", nearest("a", ["b"]))\n'
    )
    assert mute(wrong) == [2, 4, 6, 8, 11]


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


def test_of_a_list_that_nobody_reads_the_nearest_names_are_given() -> None:
    told = nearest("voilin", [*(f"word {k}" for k in range(1_000)), "violin"])
    assert told.startswith("did you mean 'violin'? valid: violin, ")
    assert told.endswith(", and 989 more")
    assert len(told) < 250
