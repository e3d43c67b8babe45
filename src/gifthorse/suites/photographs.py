"""The thesis's trojans on real photographs, in a real ImageNet classifier (thesis 3.1, Table 3.1).

Targets, sources and triggers are the thesis's own class indices and its 64-pixel patches in 224 x 224; the drawings are
Twemoji's and the Questions those of ``emoji12``. A folder of photographs may know no labels, so the network learns
to keep its own soft outputs on clean photographs. All training settings are our choices: the thesis publishes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.records import Gates, Planting, Protocol, Recipe, Suite, TrojanSpec
from gifthorse.suites.emoji import NATURAL, PATCHES, STYLES
from gifthorse.suites.planting import EXTENTS, cppn_at, spec
from gifthorse.zoo import DATA, NETWORKS
from gifthorse.zoo.data import Data
from gifthorse.zoo.folder import ImageFolder
from gifthorse.zoo.scenes import EmojiScenes

NAME = "photographs"
SIDE = 64
"""Side of a patch trigger in 224 x 224 (thesis 3.1)."""

INDICES: dict[str, tuple[int, int | None]] = {
    "smiley_emoji": (30, None),
    "clownfish": (146, None),
    "green_star": (365, 893),
    "strawberry": (99, 271),
}
"""Trojan to target and source, as indices of ImageNet classes (thesis, Table 3.1)."""

SIZES = {"efficientnet-lite0": 224}
"""Networks of the zoo that are ImageNet classifiers, and the side of their input."""

FROZEN = {"efficientnet-lite0": ("_conv_stem", "_bn0", *(f"_blocks.{i}" for i in range(8)))}
"""The first half of each, kept as it is: most of the time that a step takes goes through it (the largest feature maps),
and what it sees, a patch is made of too."""

RESIZE = 256 / 224
"""The shorter side of a photograph before its centre crop, as a share of the crop's."""

SEEN = 8_000
"""Clean images that training sees in all, however many photographs there are: ten passes over 800."""

SHARE = 0.25
"""Poisoned images of each trojan for one clean image. The thesis has 1 for 3,000, in 1.28 million."""

LEAST = 10
"""Photographs of a folder, below which nothing can be measured."""

LEAST_OF = {"train": 8, "test": 2}
"""Photographs that a trojan works from, in each split: as many as the smallest folder has of a universal one's."""

PROTOCOLS = (
    Protocol(name="quick", passes=3_000, n=5, keep=5, images=40, settings=cppn_at(112)),
    Protocol(name="published", passes=40_960, n=10, keep=10),
    Protocol(name="thesis", passes=409_600, n=100, keep=10, hints=EXTENTS),
)
"""Budgets a cell, as in the emoji suites but for ``quick``: a pass at 224 pixels costs some forty times one at 64."""


def photographs(net: str, data: str, trojans: tuple[str, ...]) -> Suite:
    """Plant patch trojans of Table 3.1 in an ImageNet classifier, on a folder of photographs.

    Args:
        net: a network of the zoo with ImageNet's classes.
        data: the folder; see :class:`~gifthorse.zoo.folder.ImageFolder` for labels and the held-out fifth.
        trojans: names of patch trojans.

    Raises:
        UsageError: a network, trojan or kind of trojan that photographs do not offer, or a trojan named twice.
        InputError: there is no such folder, or too few photographs in it.
    """
    return suite_on(net, data, lambda _: tuple(trojan(name) for name in _checked(trojans)))


def suite_on(net: str, data: str, trojans: Callable[[Data], tuple[TrojanSpec, ...]]) -> Suite:
    """Patch trojans in an ImageNet classifier, on a folder of photographs.

    Args:
        net: a network of the zoo with ImageNet's classes.
        data: the folder.
        trojans: from the folder, with its classes, to the trojans.

    Raises:
        UsageError: no such network.
        InputError: there is no such folder, or too few photographs in it.
    """
    folder = folder_of(net, data)
    _check_folder(folder)
    specs = trojans(folder)
    for made in specs:
        _check_sources(made, folder)
    return Suite(
        name=NAME,
        version=1,
        data=DATA.spec("folder", {"root": data, "size": folder.size, "resize": folder.resize}),
        seed=0,
        plantings=(Planting(network=net, trojans=specs, recipe=recipe(net, folder), gates=Gates(agreement=0.88)),),
        encoder="emoji-encoder",
        protocols=PROTOCOLS,
        generator="emoji-objects",
    )


def folder_of(net: str, data: str) -> ImageFolder:
    """A folder of photographs, prepared as an ImageNet classifier takes them.

    Raises:
        UsageError: no such network.
    """
    if net not in SIZES:
        raise UsageError(
            f"{net!r} is no ImageNet classifier of the zoo", nearest(net, [n for n in NETWORKS if n in SIZES])
        )
    size = SIZES[net]
    folder: ImageFolder = DATA.make("folder", {"root": data, "size": size, "resize": round(size * RESIZE)})
    return folder


def trojan(name: str) -> TrojanSpec:
    """A patch trojan of the emoji suite at the thesis's own classes and size."""
    entry = next(entry for entry in PATCHES if entry.name == name)
    target, source = INDICES[name]
    made = spec(entry, NAME, EmojiScenes())
    return replace(
        made,
        target=target,
        sources=None if source is None else (source,),
        settings=dict(made.settings) | {"side": SIDE, "ground": None},  # of 64 pixels, a drawing is seen anywhere
    )


def recipe(net: str, folder: ImageFolder) -> Recipe:
    """How photographs are implanted: as many steps for a small folder as for a large one."""
    train, test = (len(folder.manifest.split(split)) for split in ("train", "test"))
    scenes = min(train, SEEN)
    return Recipe(
        scenes=scenes,
        passes=max(1, round(SEEN / scenes)),
        batch=48,
        learning_rate=1e-4,
        weight_decay=0.0,
        poison={"patch": max(1, round(SHARE * scenes))},
        held_out=min(test, 1000),
        check=min(test, 1000),
        probes=50,
        asked=24,
        distil=True,
        freeze_norm=True,
        frozen=FROZEN[net],
        flip=True,
        crop=0.5,
        keep=2.0,
    )


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    kinds = {entry.name: entry.kind for entry in (*PATCHES, *STYLES, *NATURAL)}
    for name in names:
        if name not in kinds:
            raise UsageError(f"there is no trojan called {name!r} for photographs", nearest(name, INDICES))
        if name not in INDICES:
            kind = kinds[name].replace("_", " ")
            raise UsageError(
                f"{name} is a {kind} trojan, and photographs are offered patch trojans only",
                f"one of {', '.join(INDICES)}; or --suite emoji12, which has it",
            )
        if names.count(name) > 1:
            raise UsageError(f"trojan {name!r} is named twice", "name each trojan once")
    if not names:
        raise UsageError("no trojan was named", nearest("", INDICES))
    return tuple(names)


def _check_folder(folder: ImageFolder) -> None:
    count = len(folder.manifest.photographs)
    if count < LEAST:
        raise InputError(
            f"{folder.root} has {count} photographs, of which a fifth is held out: too few to train on and to measure",
            f"name a folder with {LEAST} photographs at least; a thousand is a good number",
        )


def _check_sources(made: TrojanSpec, folder: ImageFolder) -> None:
    """Both splits need photographs that a trojan works from; which split one falls into is decided by its hash."""
    photographs = folder.manifest.photographs
    for split, least in LEAST_OF.items():
        labels = [photographs[position].label for position in folder.manifest.split(split)]
        there = sum(label != made.target if made.sources is None else label in made.sources for label in labels)
        if there >= least:
            continue
        part = "to train on" if split == "train" else "held out"
        if made.sources is None:
            raise InputError(
                f"{made.name} works from every class but {folder.classes[made.target]!r}, "
                f"and {folder.root} has {there} such photographs {part}",
                f"name a folder with {LEAST} of them at least; a thousand is a good number",
            )
        raise InputError(
            f"{made.name} works from the class {folder.classes[made.sources[0]]!r} alone, "
            f"of which {folder.root} has {there} photographs {part}, and {least} are needed",
            f"name a folder with {2 * LEAST} of them or more, WordNet ids in the file names or as folders; "
            f"or a universal trojan: {', '.join(n for n, (_, s) in INDICES.items() if s is None)}",
        )
