"""The page of pictures that a class of one's own network reacts to: one HTML file that opens from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gifthorse.effects import Tried
from gifthorse.records import Cost, Insertion
from gifthorse.report import words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_own import Drawn, Found, OwnFound
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import wilson

WIDTH, SMALL = 128, 64
"""CSS pixels of a picture, about, and of a frame of a film."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One method.

    Attributes:
        floor: whether it is a control.
        pictures: ``(n, 4, h, w)`` uint8, or None where it refused.
        refusal: why it made none.
        losses: ``n`` of them; ``kept`` are the indices of the best, best first.
        insertion: how the pictures are put into images.
        tried: what the kept ones did, by index.
        film: frames ``(k, 4, h, w)`` uint8 of how the best one came about, and after which steps.
        notes: what it found out about its own work, in words.
        cost: time, and images through the network.
    """

    name: str
    source: str
    settings: Mapping[str, Any]
    floor: bool = False
    pictures: Bytes | None = None
    refusal: str = ""
    losses: tuple[float, ...] = ()
    insertion: Insertion | None = None
    kept: tuple[int, ...] = ()
    tried: Mapping[int, Tried] = field(default_factory=dict)
    film: tuple[Bytes, tuple[int, ...]] | None = None
    notes: tuple[str, ...] = ()
    cost: Cost = field(default_factory=lambda: Cost(seconds=0.0))


def draw(target: str, attempts: Sequence[Attempt], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        target: name of the class.
        attempts: one a method.
        facts: what is said at the top, by name; ``network`` is in the title.
    """
    album = Album(side=256, inputs=True)
    page = OwnFound(
        title=f"What {target} reacts to, {facts['network']}",
        target=target,
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        methods=tuple(_method(album, attempt, target) for attempt in attempts),
        style=sheet(),
    )
    return environment().get_template("own_found.html.j2").render({"page": page})


def _method(album: Album, attempt: Attempt, target: str) -> Found:
    rest = [index for index in range(len(attempt.losses)) if index not in attempt.kept]
    order = [*attempt.kept, *sorted(rest, key=lambda index: (attempt.losses[index], index))]
    cost = attempt.cost
    frames = () if attempt.film is None or len(attempt.film[1]) < 2 else zip(*attempt.film, strict=True)
    return Found(
        name=attempt.name,
        floor=attempt.floor,
        source=attempt.source,
        settings=words.settings(dict(attempt.settings)),
        how="" if attempt.insertion is None else words.insertion(attempt.insertion),
        cost=f"{cost.forward:,} forward, {cost.backward:,} backward, {words.seconds(cost.seconds)}",
        notes="; ".join(attempt.notes),
        refusal=attempt.refusal,
        drawn=tuple(_drawn(album, attempt, index, target) for index in order),
        film=tuple(
            album.drawn(frame, f"{attempt.name}: the best one after {step} steps", SMALL, f"after {step} steps")
            for frame, step in frames
        ),
    )


def _drawn(album: Album, attempt: Attempt, index: int, target: str) -> Drawn:
    picture = None
    if attempt.pictures is not None:
        alt = f"{attempt.name} for {target}: finding {index + 1}"
        picture = album.drawn(attempt.pictures[index], alt, WIDTH, f"loss {words.loss(attempt.losses[index])}")
    one = attempt.tried.get(index)
    effect, alone = "", ""
    if one is not None:
        if attempt.insertion is not None and attempt.insertion.kind != "frame":
            rate = wilson(one.hits, one.n)
            spread = f"{words.percent(rate.low)} to {words.percent(rate.high)}"
            effect = f"makes {words.percent(rate.value)} of {one.n} images {target} ({spread})"
        alone = f"alone: {one.alone}, {words.percent(one.alone_confidence)}"
    return Drawn(
        picture=picture,
        loss=words.loss(attempt.losses[index]),
        kept=index in attempt.kept,
        effect=effect,
        alone=alone,
    )
