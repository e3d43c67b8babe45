"""What other programs rely on, as one JSON document: public names, records, tables, files, the command line, errors.

``python tests/surface.py --update`` writes ``tests/shape/surface.json`` again, for a change that is meant: a name, a
field or a column that is gone or means something else also needs a new major version.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures_run import make_run

import gifthorse
from gifthorse import disk, errors, records
from gifthorse.cli.app import app
from gifthorse.tables.columns import COLUMNS

STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
KEPT = Path(__file__).parent / "shape" / "surface.json"


def signature(what: Callable[..., Any]) -> str:
    """Parameters with their types and defaults, and what is returned, spelt alike by every Python."""
    parts: list[str] = []
    found = inspect.signature(what)
    for one in found.parameters.values():
        if one.name == "self":
            continue
        star = STARS.get(one.kind, "")
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        default = "" if one.default is inspect.Parameter.empty else f" = {one.default!r}"
        parts.append(f"{star}{one.name}: {spelt(one.annotation)}{default}")
    return f"({', '.join(parts)}) -> {spelt(found.return_annotation)}"


def spelt(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    plain = isinstance(annotation, type)
    return annotation.__name__ if plain else str(annotation).replace("pathlib.", "").replace("typing.", "")


def public(value: Any) -> Any:
    """A public name: a function by its signature, a class with its methods, anything else by its type."""
    if not inspect.isclass(value):
        return signature(value) if inspect.isfunction(value) else type(value).__name__
    methods = {
        name: signature(getattr(value, name)) if callable(getattr(value, name)) else "property"
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }
    return {"made by": signature(value), **methods}


def fields_of(record: Any) -> dict[str, str]:
    return {field.name: str(field.type) for field in dataclasses.fields(record)}


def options_of(verb: Callable[..., Any] | None) -> dict[str, str]:
    """Each option with its type and default."""
    assert verb is not None
    parameters = inspect.signature(verb).parameters
    if "options" in parameters:
        kind = type(parameters["options"].default)
        assert dataclasses.is_dataclass(kind)
        return {f"--{f.name.replace('_', '-')}": f"{spelt(f.type)} = {f.default!r}" for f in dataclasses.fields(kind)}
    return {
        name if one.default is inspect.Parameter.empty else f"--{name.replace('_', '-')}": f"{spelt(one.annotation)}"
        + ("" if one.default is inspect.Parameter.empty else f" = {one.default!r}")
        for name, one in parameters.items()
    }


def kinds() -> list[type[errors.GifthorseError]]:
    """Every error."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.GifthorseError)]


def surface() -> dict[str, Any]:
    """The whole document."""
    named = {name: getattr(importlib.import_module(where), name) for name, where in gifthorse._WHERE.items()}
    kept = {name: getattr(records, name) for name in records.__all__}
    verbs = app()
    with tempfile.TemporaryDirectory() as folder:
        store = make_run(Path(folder))
        unit = next(store.units())
        failure = next((store.root / "failures").iterdir())
        files = {
            "units/KEY/unit.json": unit.path / "unit.json",
            "units/KEY/cost.json": unit.path / "cost.json",
            "failures/KEY.json": failure,
        }
        keys = {name: sorted(disk.unseal(path.read_bytes()) or {}) for name, path in files.items()}
    return {
        "public": {name: public(value) for name, value in sorted(named.items())},
        "schema": records.SCHEMA,
        "records": {name: fields_of(value) for name, value in kept.items() if dataclasses.is_dataclass(value)},
        "tables": COLUMNS,
        "files": keys,
        "command line": {name: options_of(verbs[name].default_command) for name in verbs if not name.startswith("-")},
        "errors": {kind.id: [kind.__name__, kind.exit_code] for kind in kinds()},
        "exit codes": {str(code): meaning for code, meaning in errors.EXIT_CODES.items()},
    }


def spelt_out(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def different(was: Any, now: Any, where: str = "") -> list[str]:
    """Every place in which two documents differ."""
    if not isinstance(was, dict) or not isinstance(now, dict):
        return [] if was == now else [f"{where}: was {was!r}, is {now!r}"]
    lines = [f"{where}/{key}: is gone" for key in was if key not in now]
    lines += [f"{where}/{key}: is new" for key in now if key not in was]
    for key in was:
        if key in now:
            lines += different(was[key], now[key], f"{where}/{key}")
    return lines


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python tests/surface.py --update")
    KEPT.write_text(spelt_out(surface()), encoding="utf-8")
