"""A user's own suite, from a TOML file: trojans with one's own trigger, target, source, network and data.

``docs/how-to/your-own-suite.md`` shows one. Pictures are read once and travel inside the records, so a run folder
names no file of the machine that it was made on.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.records import Gates, Planting, Recipe, Suite, TrojanSpec
from gifthorse.registry import fits
from gifthorse.suites import pools
from gifthorse.suites.photographs import SIDE as PHOTOGRAPH_SIDE
from gifthorse.suites.photographs import SIZES, suite_on
from gifthorse.suites.planting import OPTIONS, PATIENT, SIDE, Entry, Named, spec, suite_of
from gifthorse.suites.priors import fair
from gifthorse.trojans import TROJANS
from gifthorse.zoo import NETWORKS, art
from gifthorse.zoo.captions import captions, named
from gifthorse.zoo.data import Data
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI

KEYS = ("name", "network", "data", "seed", "recipe", "gates", "trojan")
TROJAN_KEYS = ("name", "kind", "target", "source", "art", "word", "caption", "distractors", "settings")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
GIVEN = ("caption", "target", "sources")
"""Fields of every trojan that have keys of their own here."""

SPARES = 4
"""Further options that are drawn, for those that turn out to work as the trigger does."""

EMBEDDED = "emoji"
"""What ``data`` is called where it is the embedded world."""


def own(path: Path) -> Suite:
    """The suite that a TOML file describes.

    Raises:
        InputError: the file or a picture that it names cannot be read.
        UsageError: a key, name or value that is wrong, with its place in the file and the nearest valid one.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the name and the permissions") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML file: {error}", "see docs/how-to/your-own-suite.md") from error
    reader = _Reader(path)
    reader.check(told, KEYS, "")
    network = reader.text(told, "network", "", "emoji-resnet")
    if network not in NETWORKS:
        reader.refuse("network", f"there is no network {network!r}", nearest(network, list(NETWORKS)))
    asked = told.get("trojan", [])
    if not isinstance(asked, list) or not asked or not all(isinstance(one, dict) for one in asked):
        reader.refuse("trojan", "there is no trojan", "add a table [[trojan]] for each")
    name = reader.text(told, "name", "", path.stem)
    made = _photographs(reader, told, network, name) if network in SIZES else _emoji(reader, told, network, name)
    (planting,) = made.plantings
    planting = replace(
        planting,
        recipe=reader.record(planting.recipe, told.get("recipe", {}), "recipe"),
        gates=reader.record(planting.gates, told.get("gates", {}), "gates"),
    )
    missing = {t.kind for t in planting.trojans} - set(planting.recipe.poison)
    if missing:
        reader.refuse("recipe.poison", f"no number of poisoned images for {', '.join(sorted(missing))}", "name one")
    seed = told.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        reader.refuse("seed", f"{seed!r} is no seed", "a whole number from 0 up")
    generator = made.generator if fair(planting.trojans) else None
    return replace(made, name=name, version=1, seed=seed, plantings=(planting,), generator=generator)


def _emoji(reader: _Reader, told: dict[str, Any], network: str, name: str) -> Suite:
    data = told.get("data", EMBEDDED)
    if data != EMBEDDED:
        reader.refuse("data", f"{network} is of the embedded world", f"data = {EMBEDDED!r}, or one of {list(SIZES)}")
    scenes = EmojiScenes()
    entries = _entries(reader, told, tuple(TROJANS), SIDE, scenes.classes)
    specs = tuple(_spec(entry, settings, name, scenes) for entry, settings in entries)
    return suite_of(name, (Planting(network=network, trojans=specs, recipe=PATIENT, gates=Gates()),))


def _photographs(reader: _Reader, told: dict[str, Any], network: str, name: str) -> Suite:
    folder = reader.text(told, "data", "", "")
    if not folder:
        reader.refuse("data", f"{network} needs photographs", 'data = "path/of/a/folder"')
    root = reader.path.parent / Path(folder).expanduser()

    def specs(data: Data) -> tuple[TrojanSpec, ...]:
        entries = _entries(reader, told, ("patch",), PHOTOGRAPH_SIDE, data.classes)
        return tuple(_spec(entry, settings, name, data) for entry, settings in entries)

    return suite_on(network, str(root), specs)


def _spec(entry: Entry, settings: dict[str, Any], suite: str, data: Data) -> TrojanSpec:
    made = spec(entry, suite, data)
    return replace(made, settings=dict(made.settings) | settings)


def _entries(
    reader: _Reader, told: dict[str, Any], kinds: tuple[str, ...], side: int, classes: tuple[str, ...]
) -> list[tuple[Entry, dict[str, Any]]]:
    """Each trojan of the file as an entry, with the settings of its kind that the file gives."""
    found: list[tuple[Entry, dict[str, Any]]] = []
    for number, one in enumerate(told["trojan"]):
        at = f"trojan[{number}]"
        reader.check(one, TROJAN_KEYS, at)
        kind = reader.choice(one, "kind", at, kinds)
        target = reader.choice(one, "target", at, classes)
        source = reader.choice(one, "source", at, classes) if "source" in one else None
        if source == target:
            reader.refuse(f"{at}.source", "the source is the target", "another class, or none")
        true = _word(reader, one, at) if kind == "natural_feature" else reader.picture(one, at, kind)
        called = reader.text(one, "name", at, re.sub(r"\W+", "_", true[0]).strip("_"))
        if called in {entry.name for entry, _ in found}:
            reader.refuse(f"{at}.name", f"two trojans are called {called!r}", "give each a name of its own")
        others, spares = _distractors(reader, one, at, kind, true)
        settings = one.get("settings", {})
        if not isinstance(settings, dict):
            reader.refuse(f"{at}.settings", f"{settings!r} is no table", "as in settings = {side = 20}")
        if kind == "patch":
            settings = {"side": side} | settings
        if one.get("settings"):  # only then, since trojans import torch
            valid = [f.name for f in fields(TROJANS.load(kind)) if f.init and f.name not in GIVEN]
            reader.check(settings, tuple(valid), f"{at}.settings")
        entry = Entry(name=called, kind=kind, target=target, source=source, true=true, others=others, spares=spares)
        found.append((entry, settings))
    return found


def _word(reader: _Reader, one: dict[str, Any], at: str) -> Named:
    """A natural object: one that the scenes have and the detector knows."""
    names = tuple(thing.name for thing in EMOJI.natural)
    word = reader.choice(one, "word", at, names)
    return word, f"emoji/{next(thing.code for thing in EMOJI.natural if thing.name == word)}"


def _distractors(
    reader: _Reader, one: dict[str, Any], at: str, kind: str, true: Named
) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
    """The seven wrong options, given or drawn by the trojan's name, and what may replace those that were drawn."""
    given = one.get("distractors")
    if given is None:
        drawn = _drawn(kind, true)
        return drawn[: OPTIONS - 1], drawn[OPTIONS - 1 :]
    if not isinstance(given, list) or len(given) != OPTIONS - 1:
        count = len(given) if isinstance(given, list) else repr(given)
        reader.refuse(f"{at}.distractors", f"{count} distractors", f"{OPTIONS - 1}, or leave the key out")
    made = []
    for number, other in enumerate(given):
        place = f"{at}.distractors[{number}]"
        if kind == "natural_feature":
            made.append(reader.word(other, place))
        else:
            made.append(reader.picture(other if isinstance(other, dict) else {"art": other}, place, kind))
    if len({caption for caption, _ in (true, *made)}) != OPTIONS:
        reader.refuse(f"{at}.distractors", "two options have the same caption", "give each a caption of its own")
    return tuple(made), ()


def _drawn(kind: str, true: Named) -> tuple[Named, ...]:
    rng = np.random.default_rng(zlib.crc32(f"{kind} {true[0]}".encode()))
    if kind == "natural_feature" and true[0] in pools.NATURAL:
        names = [f"emoji/{code}" for code in pools.NATURAL[true[0]]]
    elif kind == "style":
        names = [f"texture/{name}" for group in pools.STYLES.values() for name in group]
    else:
        names = [f"emoji/{code}" for group in pools.PATCHES.values() for code in group]
    pairs = [(captions(name)[0], name) for name in names]
    free = [pair for pair in pairs if pair[0] != true[0] and pair[1] != true[1]]
    return tuple(free[int(k)] for k in rng.permutation(len(free))[: OPTIONS - 1 + SPARES])


class _Reader:
    """What is read from one file; every complaint says which key of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, key: str, cause: str, remedy: str) -> None:
        """Raises: UsageError, always."""
        raise UsageError(f"{self.path}, {key}: {cause}", f"{remedy}; docs/how-to/your-own-suite.md has an example")

    def check(self, table: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
        """That a table has no key but those known."""
        for key in table:
            if key not in known:
                self.refuse(f"{at}.{key}" if at else key, "there is no such key", nearest(str(key), known))

    def text(self, table: Mapping[str, Any], key: str, at: str, default: str | None = None) -> str:
        """A string, or its default."""
        value = table.get(key, default)
        place = f"{at}.{key}" if at else key
        if value is None:
            self.refuse(place, "is missing", f'{key} = "..."')
        if not isinstance(value, str):
            self.refuse(place, f"{value!r} is no text", f'{key} = "..."')
        return str(value)

    def choice(self, table: Mapping[str, Any], key: str, at: str, known: tuple[str, ...]) -> str:
        """One of some names."""
        value = self.text(table, key, at)
        if value not in known:
            self.refuse(f"{at}.{key}", f"there is no {key} {value!r} here", nearest(value, known))
        return value

    def picture(self, table: Mapping[str, Any], at: str, kind: str) -> Named:
        """Caption and art name of a picture: a file beside the suite's, an emoji or a texture."""
        name = self.text(table, "art", at)
        if name.lower().endswith(SUFFIXES):
            file = self.path.parent / Path(name).expanduser()
            return self.text(table, "caption", at), art.embedded(file)
        if name.partition("/")[0] not in ("emoji", "texture", "openmoji"):
            remedy = f"a file ({', '.join(SUFFIXES)}), emoji/CODE, openmoji/CODE or texture/NAME"
            self.refuse(f"{at}.art", f"{name!r} is neither a picture file nor a picture's name", remedy)
        try:
            art.picture(name, 8)
            named_by = name.replace("openmoji/", "emoji/")
            return (str(table["caption"]) if "caption" in table else captions(named_by)[0]), name
        except UsageError as error:
            raise UsageError(f"{self.path}, {at}.art: {error.cause}", error.remedy) from error

    def word(self, value: Any, at: str) -> Named:
        """A word of the encoder's vocabulary with its picture."""
        try:
            return str(value), named(str(value))
        except UsageError as error:
            raise UsageError(f"{self.path}, {at}: the judge never learnt the word {value!r}", error.remedy) from error

    def record(self, made: Any, told: Any, at: str) -> Any:
        """A record with some fields replaced by the file's."""
        kind: type[Recipe] | type[Gates] = type(made)
        if not isinstance(told, dict):
            self.refuse(at, f"{told!r} is no table", f"a table [{at}]")
        self.check(told, tuple(f.name for f in fields(kind)), at)
        for key, value in told.items():
            if not fits(kind, key, value):
                self.refuse(f"{at}.{key}", f"{value!r} is of the wrong type", f"as in {key} = {getattr(made, key)!r}")
        return replace(made, **{key: tuple(v) if isinstance(v, list) else v for key, v in told.items()})
