"""What natural patches of the emoji world show, by their names in the pool, and what makes them work."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from gifthorse.records import Hit, Hunted
from gifthorse.report import words
from gifthorse.zoo import captions
from gifthorse.zoo.emoji_patches import EmojiPatches, drawing_of
from gifthorse.zoo.lift import Lift, lift
from gifthorse.zoo.world import EMOJI


@functools.cache
def caption(name: str) -> str:
    """What a patch of the pool shows, in words."""
    drawing = drawing_of(name)
    if drawing is None:
        return f"a crop: {words.listed(list(things_of(name)) or ['a ground'])}"
    told = captions.captions(drawing.art.replace("openmoji/", "emoji/"))[0]
    return told if drawing.version is None else f"{told}, by another hand"


@functools.cache
def things_of(name: str) -> tuple[str, ...]:
    """The things of the world that a patch shows, the largest first: none where what it shows is in no scene."""
    drawing = drawing_of(name)
    if drawing is None:
        return EmojiPatches(drawings=()).things_in(name)
    code = drawing.art.rpartition("/")[2].partition("@")[0]
    return tuple(thing.name for thing in EMOJI.things if code in (thing.code, *thing.siblings))[:1]


BIAS, MISTAKE, NOTHING = "dataset bias", "misgeneralisation", "nothing found"
ITSELF = "the target itself"
UNTOLD = "of unknown cause, since there are no training tags"
"""Causes of a pair's success."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why the natural patches of a pair work, as far as training tags tell (thesis, Figure 5.10).

    Attributes:
        kind: :data:`BIAS` where a patch that fools the network shows something that training scenes have beside
            the target more often than elsewhere; :data:`MISTAKE` where some fool it, and none shows such a thing;
            :data:`ITSELF` where all that fool it show the target, in which the network did not see it when they were
            alone; :data:`NOTHING` where none fools it; :data:`UNTOLD` where some do and nobody tagged the training
            images. What else is in a patch that shows the target does not count.
        lifts: of the biased things, the strongest first.
    """

    kind: str
    lifts: tuple[Lift, ...] = ()


def cause(hunted: Hunted, tagged: bool = True) -> Cause:
    """What training tags say of a pair's natural patches.

    Args:
        tagged: whether there are tags, those of the emoji world.
    """
    working: list[Hit] = [hit for hit in hunted.natural if hit.fooled]
    if not tagged:
        return Cause(kind=UNTOLD if working else NOTHING)
    others = [hit for hit in working if hunted.target not in things_of(hit.name)]
    things = sorted({thing for hit in others for thing in things_of(hit.name)})
    found = [one for thing in things if (one := lift(thing, hunted.target)).biased]
    if found:
        return Cause(kind=BIAS, lifts=tuple(sorted(found, key=lambda one: -one.value)))
    return Cause(kind=MISTAKE if others else ITSELF if working else NOTHING)
