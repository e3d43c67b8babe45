"""What natural patches of the emoji world show, by their names in the pool, and what makes them work."""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.records import Hit, Hunted
from gifthorse.zoo import captions
from gifthorse.zoo.emoji_patches import drawing_of
from gifthorse.zoo.lift import Lift, lift
from gifthorse.zoo.world import EMOJI


def caption(name: str) -> str:
    """What a patch of the pool shows, in words."""
    drawing = drawing_of(name)
    if drawing is None:
        return "a crop of a scene"
    words = captions.captions(drawing.art.replace("openmoji/", "emoji/"))[0]
    return words if drawing.version is None else f"{words}, by another hand"


def thing_of(name: str) -> str | None:
    """The thing of the world that a patch shows, or None where that is in no scene, or not known."""
    drawing = drawing_of(name)
    code = None if drawing is None else drawing.art.rpartition("/")[2].partition("@")[0]
    return next((thing.name for thing in EMOJI.things if code in (thing.code, *thing.siblings)), None)


BIAS, MISTAKE, NOTHING = "dataset bias", "misgeneralisation", "nothing found"
UNTOLD = "of unknown cause, since there are no training tags"
"""Causes of a pair's success."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why the natural patches of a pair work, as far as training tags tell (thesis, Figure 5.10).

    Attributes:
        kind: :data:`BIAS` where a patch that fools the network shows something that training scenes have beside
            the target more often than elsewhere; :data:`MISTAKE` where some fool it, and none shows such a thing;
            :data:`NOTHING` where none fools it; :data:`UNTOLD` where some do and nobody tagged the training images.
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
    things = sorted({thing for hit in working if (thing := thing_of(hit.name)) is not None})
    found = [one for thing in things if thing != hunted.target and (one := lift(thing, hunted.target)).biased]
    if found:
        return Cause(kind=BIAS, lifts=tuple(sorted(found, key=lambda one: -one.value)))
    return Cause(kind=MISTAKE if working else NOTHING)
