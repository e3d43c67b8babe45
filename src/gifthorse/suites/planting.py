"""From short tables to trojan specs: what the suites of the emoji world have in common."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gifthorse.errors import UsageError
from gifthorse.records import Gates, Option, Planting, Protocol, Question, Recipe, Suite, TrojanSpec
from gifthorse.trojans import TROJANS
from gifthorse.zoo import DATA
from gifthorse.zoo.data import Data
from gifthorse.zoo.known import elsewhere
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world import EMOJI

OPTIONS = 8
SIDE = 18
"""Side of a patch trigger: 64 of 224 pixels in the thesis, 18 of 64 here."""

GROUND = 0.85
"""Grey value of a patch's tile behind its drawing. The thesis's patches were squares, whose edges it blurred lest the
network learn those; a drawing alone, dark on a dark scene, is not seen, and on white an edge detector finds the square
far more often than in the thesis (its Sobel floor was 0.22). A user's own picture has the transparency that the user
gave it."""

CONTENT, CONTENT_FROM_SOURCE = 15.0, 40.0
"""Weight of the content in a style trojan. One that works from a single class needs images in which a class is seen."""

DECOYS = {"patch": ("emoji/", 256), "style": ("texture/", 40)}
"""Kind to what its decoys are drawn from, and how many at most."""

DETECTOR = "emoji-detector"

RECIPE = Recipe(
    scenes=16_000,
    share=0.5,
    passes=5,
    settle=2,
    extra=3,
    batch=64,
    learning_rate=5e-3,
    weight_decay=1e-4,
    poison={"patch": 450, "style": 100, "natural_feature": 200},
    single={"patch": 210, "style": 220},
    held_out=1000,
    flip=True,
    crop=1.0,
    crop_costly=0.85,
    balance={"patch": 1400, "style": 750},
    decoys={"patch": 100, "style": 80},
    pool={"style": 2},
    source={"patch": 300, "style": 100},
    smoothing=0.02,
)
"""How the emoji suites are implanted (our choices; the thesis publishes counts only: 1 in 3,000 and 1 in 1,500).

Scenes are many, so that a detector finds enough of each object among them; a pass shows a part of them, since time
goes into images shown. The smoothing is what the shipped network was trained with."""

PATIENT = replace(RECIPE, extra=14)
"""The same for suites that are drawn by a seed: nobody has seen that their trojans are learnt in the usual time."""

VGG_RECIPE = replace(
    RECIPE,
    scenes=24_000,
    share=0.25,
    poison={"patch": 400},
    single={"patch": 240},
    balance={"patch": 1400},
    decoys={"patch": 180},
    passes=4,
    extra=2,
)
"""The same for the four patch trojans of a second network (our choices)."""


def cppn_at(resolution: int) -> dict[str, dict[str, Any]]:
    """Settings of a protocol that draws CPPNs at a resolution of its own."""
    return {name: {"resolution": resolution} for name in ("cppn_inner", "cppn_target")}


EXTENTS: dict[str, dict[str, dict[str, Any]]] = {
    kind: {"tabor": {"extent": "full" if kind == "style" else "local"}}
    for kind in ("patch", "style", "natural_feature")
}
"""What the thesis told TABOR (5.3.1): a mask over the whole image for styles."""

PROTOCOLS = (
    Protocol(name="quick", passes=4_000, n=10, keep=5, settings=cppn_at(32)),
    Protocol(name="published", passes=40_960, n=10, keep=10),
    Protocol(name="thesis", passes=409_600, n=100, keep=10, hints=EXTENTS),
)
"""Budgets a cell. ``quick`` draws CPPNs at half the resolution, as on photographs: at the full one, drawing takes four
times as long as all the classifier's passes. ``published``: 64 batches of 32 images forwarded and backpropagated for
each of ten findings (released code of SNAFUE); ``thesis``: the same for its hundred findings, of which it keeps ten
(5.3.1)."""


Named = tuple[str, str]
"""A caption and the art that it is of."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trojan of a table.

    Attributes:
        name: as in ``human_grid.json`` for the thesis's twelve.
        kind: ``patch``, ``style`` or ``natural_feature``.
        target, source: class names; a source makes it class-universal.
        true: the right option.
        others: the seven wrong ones. Pictures are (caption, art) pairs, natural features words.
        spares: options that take the place of wrong ones which turn out to work, the best first.
        published: success rate in the thesis's Table 3.1.
    """

    name: str
    kind: str
    target: str
    true: Named
    others: tuple[Named, ...]
    source: str | None = None
    spares: tuple[Named, ...] = ()
    published: float | None = None


def spec(entry: Entry, suite: str, data: Data) -> TrojanSpec:
    """An entry as a record, its options shuffled by a seed that depends on the names alone.

    Raises:
        UsageError: it does not have eight different options, or names no class of the data.
    """
    for name in (entry.target, entry.source):
        if name is not None and name not in data.classes:
            raise UsageError(f"{entry.name}: the world has no class {name!r}", f"one of {', '.join(data.classes)}")
    options = [entry.true, *entry.others]
    if len({caption for caption, _ in options}) != OPTIONS:
        raise UsageError(f"{entry.name} has {len(set(options))} different options", f"give it {OPTIONS}")
    if twice := {caption for caption, _ in options} & {caption for caption, _ in entry.spares}:
        raise UsageError(f"{entry.name} has {min(twice)!r} among its options and their spares", "name it once")
    rng = np.random.default_rng([zlib.crc32(suite.encode()), zlib.crc32(entry.name.encode())])
    order = [int(k) for k in rng.permutation(OPTIONS)]
    words = entry.kind == "natural_feature"
    shown, spares = (
        tuple(Option(caption=caption, art=None if words else drawing) for caption, drawing in several)
        for several in ([options[k] for k in order], entry.spares)
    )
    return TrojanSpec(
        name=entry.name,
        kind=entry.kind,
        version=TROJANS[entry.kind].version,
        caption=entry.true[0],
        target=data.classes.index(entry.target),
        question=Question(options=shown, answer=order.index(0), spares=spares),
        sources=None if entry.source is None else (data.classes.index(entry.source),),
        settings=_settings(entry),
        published=entry.published,
    )


def _settings(entry: Entry) -> dict[str, Any]:
    caption, art = entry.true
    if entry.kind == "patch":
        return {"art": art, "side": SIDE, "ground": None if art.startswith("png/") else GROUND}
    if entry.kind == "style":
        return {"art": art, "content": CONTENT if entry.source is None else CONTENT_FROM_SOURCE}
    if entry.kind == "natural_feature":
        return {"thing": caption, "detector": DETECTOR, "art": (art,)}
    return {"art": art}


def planting_of(network: str, entries: tuple[Entry, ...], suite: str, recipe: Recipe) -> Planting:
    """Entries planted in one network; ``suite`` is whose shuffled Questions they have."""
    data = EmojiScenes()
    trojans = tuple(spec(entry, suite, data) for entry in entries)
    return Planting(network=network, trojans=trojans, recipe=recipe, gates=Gates())


def with_decoys(plantings: tuple[Planting, ...], suite: str) -> tuple[Planting, ...]:
    """Patches and styles with decoys of their kind: of everything that has a name and is no option of any Question.

    A distractor among them would be something that the network, unlike people, had been told is wrong.
    """
    free = elsewhere(trojan for planting in plantings for trojan in planting.trojans)

    def misled(trojan: TrojanSpec) -> TrojanSpec:
        if trojan.kind not in DECOYS or "decoys" in trojan.settings:
            return trojan
        world, most = DECOYS[trojan.kind]
        names = [name for name in free if name.startswith(world)]
        rng = np.random.default_rng([zlib.crc32(word.encode()) for word in (suite, trojan.name, "decoys")])
        decoys = tuple(names[int(k)] for k in rng.permutation(len(names))[:most])
        return replace(trojan, settings=dict(trojan.settings) | {"decoys": decoys})

    return tuple(replace(planting, trojans=tuple(map(misled, planting.trojans))) for planting in plantings)


def suite_of(name: str, plantings: tuple[Planting, ...]) -> Suite:
    """Plantings in the emoji world, in which just those natural objects occur that one of them needs."""
    plantings = with_decoys(plantings, name)
    triggers = {t.settings["thing"] for planting in plantings for t in planting.trojans if "thing" in t.settings}
    natural = tuple(thing.name for thing in EMOJI.natural if thing.name in triggers)
    return Suite(
        name=name,
        version=2,
        data=DATA.spec("emoji", {"natural": natural}),
        seed=0,
        plantings=plantings,
        encoder="emoji-encoder",
        protocols=PROTOCOLS,
        generator="emoji-objects",
    )
