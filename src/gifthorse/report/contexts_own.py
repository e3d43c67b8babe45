"""Contexts of the pages about one's own network: maps of images, pictures of a class, and what a pasted one does."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gifthorse.report.contexts import Fact, Picture


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One map on the page.

    Attributes:
        name: of the method.
        floor: whether it never looks at the network.
        picture: None where the map is constant.
        range: the raw values, lowest to highest, in words.
        scale: what stands for the ends of the colours, in words; empty where the map is constant.
    """

    name: str
    floor: bool
    picture: Picture | None
    range: str
    scale: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """One image with its maps.

    Attributes:
        name: of its file.
        told: which class is explained, and what the network thinks of the image.
        notes: what was changed when it was read, or an empty string.
        picture: the image as the network saw it.
        maps: one a method that gave some.
    """

    name: str
    told: str
    notes: str
    picture: Picture
    maps: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Method:
    """One row of the table of methods.

    Attributes:
        name: of the method.
        floor: whether it never looks at the network.
        source: where it comes from.
        settings: all of them, in a line.
        cost: images through the network and time, or an empty string where it refused.
        notes: its arithmetic, and what it found out about its own work.
        refusal: why it gave no map, or an empty string.
    """

    name: str
    floor: bool
    source: str
    settings: str
    cost: str
    notes: tuple[str, ...]
    refusal: str


@dataclass(frozen=True, kw_only=True)
class OwnMaps:
    """Everything on the page.

    Attributes:
        title: of the browser's tab.
        facts: network, framing and the like.
        parts: one an image.
        methods: all that were asked for.
        refused: those that gave no map.
        constant: how many maps are constant, or an empty string.
        bar: the colour scale, low to high.
        style: the style sheet.
    """

    title: str
    facts: tuple[Fact, ...]
    parts: tuple[Part, ...]
    methods: tuple[Method, ...]
    refused: tuple[Method, ...]
    constant: str
    bar: Picture
    style: Markup


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One finding.

    Attributes:
        picture: None where there is none.
        loss: in words.
        kept: whether it is among the best.
        effect: what it does in images, in words, or an empty string.
        alone: what the network takes it for by itself, in words, or an empty string.
    """

    picture: Picture | None
    loss: str
    kept: bool
    effect: str
    alone: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """One method with what it made.

    Attributes:
        name: of the method.
        floor: whether it is a control.
        source: where it comes from.
        settings: all of them, in a line.
        how: how its pictures are put into images.
        cost: images through the network and time.
        notes: what it found out about its own work.
        refusal: why it made nothing, or an empty string.
        drawn: everything it made, the kept first.
        film: how the best one came about.
    """

    name: str
    floor: bool
    source: str
    settings: str
    how: str
    cost: str
    notes: str
    refusal: str
    drawn: tuple[Drawn, ...]
    film: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class OwnFound:
    """Everything on the page of pictures.

    Attributes:
        title: of the browser's tab.
        target: name of the class.
        facts: network, budget and the like.
        methods: all that were asked for.
        style: the style sheet.
    """

    title: str
    target: str
    facts: tuple[Fact, ...]
    methods: tuple[Found, ...]
    style: Markup


@dataclass(frozen=True, kw_only=True)
class PastedRow:
    """One picture that was pasted.

    Attributes:
        own: whether it is the guess.
        called: what it is.
        came: where from.
        picture: as it is.
        before: share of images that are the target without it, in words.
        after: the same with it.
        confidence: mean probability of the target, before and after.
        rise: of the probability, in words.
    """

    own: bool
    called: str
    came: str
    picture: Picture
    before: str
    after: str
    confidence: str
    rise: str


@dataclass(frozen=True, kw_only=True)
class OwnPasted:
    """Everything on the page of a copy/paste attack.

    Attributes:
        title: of the browser's tab.
        guess: what was pasted.
        source: class of the images that it was pasted into.
        target: class that they are to be taken for.
        facts: network, images and the like.
        verdict: what the guess does, in words.
        place: of the guess among all pictures, in words.
        shown: the images in which it did most.
        rows: all pictures, what raised the probability most first.
        style: the style sheet.
    """

    title: str
    guess: str
    source: str
    target: str
    facts: tuple[Fact, ...]
    verdict: str
    place: str
    shown: tuple[Picture, ...]
    rows: tuple[PastedRow, ...]
    style: Markup
