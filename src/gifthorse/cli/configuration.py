"""Configuration layers under the flags: environment, then a TOML file given with ``--config``.

Top-level keys of the file are a verb's options; ``[settings.TOOL]`` tables replace settings of tools and judges.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from cyclopts.config import Dict

from gifthorse.cli.options import RunOptions
from gifthorse.errors import InputError, UsageError, nearest


def layer(tokens: list[str]) -> tuple[list[str], tuple[Dict, ...]]:
    """Take ``--config FILE`` out of the tokens and give the file as a layer.

    Raises:
        UsageError: an unknown key, with file, key and the nearest valid key.
        InputError: no such file, or not TOML.
    """
    path, rest = _taken(tokens)
    if path is None:
        return rest, ()
    values = read_toml(path)
    valid = {field.name.replace("_", "-") for field in dataclasses.fields(RunOptions)} - {"set"}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key == "settings":
            flat["set"] = _settings(path, value)
        elif key.replace("_", "-") not in valid:
            raise UsageError(f"{path} has an unknown key {key!r}", nearest(key, {*valid, "settings"}))
        else:
            flat[key.replace("_", "-")] = value
    return rest, (Dict(flat, use_commands_as_keys=False, source=str(path)),)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's values.

    Raises:
        InputError: it is not there, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", "see https://toml.io for the format") from None


def _taken(tokens: list[str]) -> tuple[Path | None, list[str]]:
    for at, token in enumerate(tokens):
        if token == "--config":
            if at + 1 == len(tokens):
                raise UsageError("--config needs a file", "--config run.toml")
            return Path(tokens[at + 1]), tokens[:at] + tokens[at + 2 :]
        if token.startswith("--config="):
            return Path(token.partition("=")[2]), tokens[:at] + tokens[at + 1 :]
    return None, tokens


def _settings(path: Path, tables: Any) -> list[str]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{path}: [settings] holds one table a tool", "[settings.occlusion]\nwindow = 16")
    return [f"{tool}.{key}={_spelt(value)}" for tool, table in tables.items() for key, value in table.items()]


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
