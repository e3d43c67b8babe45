"""Configuration layers under the flags: environment, then a TOML file given with ``--config``.

Top-level keys of the file are a verb's options; ``[settings.TOOL]`` tables replace settings of tools and judges, and
``--set`` on the command line replaces single ones of these.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict
from cyclopts.token import Token

from gifthorse.captioners import CAPTIONERS
from gifthorse.cli.options import RunOptions, has_settings
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.judges import JUDGES
from gifthorse.registry import base, own_settings
from gifthorse.tools import TOOLS

PREFIX = "GIFTHORSE_"
"""Of the environment variables that are options."""

STANDING = ("encoder",)
"""Captioners that are right without any setting, so that they need not be imported to be checked."""

WORKING = ("run", "implant", "diagnose", "evaluate")
"""The verbs that a file can configure."""


class Settings:
    """The layer of a file's settings: put before those of the flags, which so replace single ones."""

    def __init__(self, pairs: list[str], source: str) -> None:
        self._pairs = pairs
        self._source = source

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Called by the parser with what the layers above have set."""
        argument, _, _ = arguments.match("--set")
        mine = [Token(keyword="settings", value=pair, source=self._source) for pair in self._pairs]
        argument.tokens[:] = [token.evolve(index=index) for index, token in enumerate([*mine, *argument.tokens])]


def layer(tokens: list[str]) -> tuple[Dict | Settings, ...]:
    """The layers of the file that ``--config`` or ``GIFTHORSE_CONFIG`` names, for the verbs that take one.

    Raises:
        UsageError: an unknown key or tool, with file, key and the nearest valid key.
        InputError: no such file, or not TOML.
    """
    path = _named(tokens)
    if path is None or not tokens or tokens[0] not in WORKING:
        return ()
    values = read_toml(path)
    valid = {field.name.replace("_", "-") for field in dataclasses.fields(RunOptions)} - {"set", "config"}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key == "settings":
            continue
        if key.replace("_", "-") not in valid:
            raise UsageError(f"{path} has an unknown key {key!r}", nearest(key, {*valid, "settings"}))
        flat[key.replace("_", "-")] = value
    pairs = _pairs(path, values.get("settings", {}))
    return Dict(flat, use_commands_as_keys=False, source=str(path)), Settings(pairs, str(path))


def check_settings(settings: Mapping[str, Mapping[str, Any]], path: Path | None) -> None:
    """Check names and values of settings. It imports the tools and judges that have some, and no other.

    Captioners are checked with what their own names say (:func:`check_captioners`): some need several settings at once.

    Args:
        settings: tool or judge to setting to value.
        path: the file among the layers, which an error names if the setting stands there.

    Raises:
        UsageError: an unknown setting or a wrong value, with who asked for it and the nearest valid name.
    """
    for tool, table in settings.items():
        if tool in CAPTIONERS:
            continue
        try:
            (TOOLS if tool in TOOLS else JUDGES).make(tool, table)
        except UsageError as error:
            theirs = read_toml(path).get("settings", {}).get(tool, {}) if path else {}
            meant = [key for key in table if re.search(rf"\b{re.escape(key)}\b", error.cause)] or table
            where = f"{path}: [settings.{tool}]" if any(key in theirs for key in meant) else f"--set {tool}"
            raise UsageError(f"{where}: {error.cause}", error.remedy) from None


def check_names(names: Iterable[str]) -> None:
    """Check the settings that tools have in their own names (``occlusion@window=6``); it imports those tools.

    Raises:
        UsageError: an unknown setting or a wrong value, with the nearest valid name.
    """
    for name in names:
        if own := own_settings(name):
            try:
                TOOLS.make(base(name), own)
            except UsageError as error:
                raise UsageError(f"--tools {name}: {error.cause}", error.remedy) from None


def check_captioners(names: Iterable[str], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the settings of captioners, those of their own names too; it imports the captioners that have some.

    Args:
        names: of the captioners that were asked for.
        settings: captioner to setting to value.

    Raises:
        UsageError: an unknown setting, a wrong value, or one that is missing.
    """
    asked = [*names]
    others = [name for name in settings if name in CAPTIONERS and name not in map(base, asked)]
    for name in (*asked, *others):
        told = dict(settings.get(base(name), {})) | own_settings(name)
        if told or name not in STANDING:
            try:
                CAPTIONERS.make(base(name), told)
            except UsageError as error:
                raise UsageError(f"--captioners {name}: {error.cause}", error.remedy) from None


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


def _named(tokens: list[str]) -> Path | None:
    for at, token in enumerate(tokens):
        if token == "--config":
            if at + 1 == len(tokens):
                raise UsageError("--config needs a file", "--config run.toml")
            return Path(tokens[at + 1])
        if token.startswith("--config="):
            return Path(token.partition("=")[2])
    named = os.environ.get(f"{PREFIX}CONFIG")
    return Path(named) if named else None


def _pairs(path: Path, tables: Any) -> list[str]:
    """``[settings.TOOL]`` tables as ``TOOL.SETTING=VALUE``."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{path}: [settings] holds one table a tool", "[settings.occlusion]\nwindow = 16")
    for tool in tables:
        has_settings(tool, f"{path}: [settings.{tool}]")
    return [f"{tool}.{key}={as_toml(value)}" for tool, table in tables.items() for key, value in table.items()]


def as_toml(value: Any) -> str:
    """A value as TOML spells it: text, numbers, truth values, and lists of these."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(as_toml(item) for item in value)}]"
    if isinstance(value, (int, float)):
        return str(value)
    # JSON's escapes are TOML's, but for one character that only TOML escapes
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def configuration(options: RunOptions) -> dict[str, Any]:
    """Every option with its value as a file has them: options that are not set are left out.

    Raises:
        UsageError: a setting of no tool, judge or captioner, or of another form.
    """
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    values |= {"suite": options.suite_name, "trojans": options.trojan_names}
    left_out = ("show_config", "dry_run", "set", "config")
    found = {
        name.replace("_", "-"): str(value) if isinstance(value, Path) else value
        for name, value in values.items()
        if name not in left_out and value is not None
    }
    settings = options.settings()
    return found | ({"settings": settings} if settings else {})


def spelt(found: dict[str, Any]) -> str:
    """What :func:`configuration` gives, as a file for ``--config``."""
    lines = [f"{name} = {as_toml(value)}" for name, value in found.items() if name != "settings"]
    for tool, table in found.get("settings", {}).items():
        lines += ["", f"[settings.{tool}]", *(f"{_key(name)} = {as_toml(value)}" for name, value in table.items())]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else as_toml(name)
