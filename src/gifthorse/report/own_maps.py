"""The page of maps for one's own images: one HTML file that opens from disk, without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gifthorse import heat
from gifthorse.report import words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_own import Method, OwnMaps, Part, Shown
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes, Floats, colour, own_scale, scale_bar

WIDTH = 168
"""CSS pixels of a picture, about."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One image.

    Attributes:
        name: of its file.
        notes: what was changed when it was read.
        pixels: ``(3, size, size)`` uint8, as the network saw it.
        target, label, probability: the class that is explained, and what the network gives it.
        likely: the likeliest classes with their probabilities.
    """

    name: str
    notes: tuple[str, ...]
    pixels: Bytes
    target: int
    label: str
    probability: float
    likely: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One method.

    Attributes:
        floor: whether it never looks at the network.
        maps: ``(N, size, size)`` raw, or None where it refused.
        refusal: why it gave none.
        notes: its arithmetic, and what it found out about its own work, in words.
        seconds, forward, backward: what it cost, in images through the network.
    """

    name: str
    source: str
    settings: Mapping[str, Any]
    maps: Floats | None
    refusal: str = ""
    floor: bool = False
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    forward: int = 0
    backward: int = 0


def build(subjects: Sequence[Subject], attempts: Sequence[Attempt], facts: Mapping[str, str]) -> OwnMaps:
    """The page's contexts."""
    album = Album(side=512, inputs=True)
    given = [attempt for attempt in attempts if attempt.maps is not None]
    methods = tuple(_method(attempt) for attempt in attempts)
    still = sum(int(heat.constant(attempt.maps).sum()) for attempt in given if attempt.maps is not None)
    return OwnMaps(
        title=f"Maps of {words.counted(len(subjects), 'image')}, {facts['network']}",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        parts=tuple(_part(album, subject, index, given) for index, subject in enumerate(subjects)),
        methods=methods,
        refused=tuple(method for method in methods if method.refusal),
        constant=f"{words.counted(still, 'map is', 'maps are')} constant, and not drawn" if still else "",
        bar=album.drawn(scale_bar(-1.0), "the colours of the maps, low to high", 128, "drawn here"),
        style=sheet(),
    )


def draw(subjects: Sequence[Subject], attempts: Sequence[Attempt], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        subjects: the images.
        attempts: one a method; the maps of each in the order of the images.
        facts: network, framing and whatever else is to be said at the top, by name; ``network`` is in the title.
    """
    page = build(subjects, attempts, facts)
    return environment().get_template("own_maps.html.j2").render({"page": page})


def _part(album: Album, subject: Subject, index: int, given: Sequence[Attempt]) -> Part:
    named = ", ".join(f"{name} {words.percent(share)}" for name, share in subject.likely)
    explained = f"Explained: {subject.label}, to which the network gives {words.percent(subject.probability)}."
    return Part(
        name=subject.name,
        told=f"{explained} Likeliest: {named}.",
        notes="; ".join(subject.notes),
        picture=album.drawn(subject.pixels, f"{subject.name} as the network sees it", WIDTH, subject.name),
        maps=tuple(
            _shown(album, attempt, subject, attempt.maps[index]) for attempt in given if attempt.maps is not None
        ),
    )


def _shown(album: Album, attempt: Attempt, subject: Subject, values: Floats) -> Shown:
    low, high = (f"{float(end):.3g}".replace("-", words.MINUS) for end in (values.min(), values.max()))
    told = f"{low} to {high}"
    if bool(heat.constant(values[None])[0]):
        return Shown(name=attempt.name, floor=attempt.floor, picture=None, range=told, scale="")
    scale = own_scale(values)
    picture = album.drawn(colour(np.asarray(values / scale)), f"{attempt.name} on {subject.name}", WIDTH, told)
    return Shown(name=attempt.name, floor=attempt.floor, picture=picture, range=told, scale=f"{scale:.3g}")


def _method(attempt: Attempt) -> Method:
    passes = f"{attempt.forward:,} forward, {attempt.backward:,} backward, {words.seconds(attempt.seconds)}"
    return Method(
        name=attempt.name,
        floor=attempt.floor,
        source=attempt.source,
        settings=words.settings(dict(attempt.settings)),
        cost="" if attempt.refusal else passes,
        notes=attempt.notes,
        refusal=attempt.refusal,
    )
