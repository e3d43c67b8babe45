"""What pairs of classes are looked at in: the emoji world, or photographs with a pool of patches of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gifthorse.errors import InputError, UsageError
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import check_network
from gifthorse.stages.assets import POOL
from gifthorse.suites.photographs import folder_of
from gifthorse.zoo import DATA
from gifthorse.zoo.data import Data
from gifthorse.zoo.file_patches import opened
from gifthorse.zoo.folder import ImageFolder
from gifthorse.zoo.patch_pool import PatchPool

PATCH = 64
"""Side of natural patches for photographs, in pixels (thesis 5.2.1)."""

LEAST = {"train": 8, "test": 4}
"""Photographs of a source that are needed: patches are made on the ones and tried on the others."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where images and natural patches come from.

    Attributes:
        data: the images.
        pool: the patches.
        emoji: whether these are the emoji world's, of which it is known what is in them.
        called: the pool, never where it lies.
    """

    data: Data
    pool: PatchPool
    emoji: bool
    called: str = POOL

    def enough(self, sources: Sequence[int]) -> list[int]:
        """Those of some classes of which there are images enough to be sources.

        Raises:
            InputError: there is none.
        """
        if not isinstance(self.data, ImageFolder):
            return list(sources)
        counts = counted(self.data)
        found = [k for k in sources if all(counts[split].get(k, 0) >= least for split, least in LEAST.items())]
        if not found:
            raise InputError(
                f"{self.data.root} has no class with {LEAST['train']} photographs to make patches on and "
                f"{LEAST['test']} that are held out, by their hashes",
                "a folder with 30 photographs of a class, WordNet ids in the file names or as folders",
            )
        return found

    def seen(self, targets: Sequence[int]) -> list[int]:
        """Those of some classes of which there is an image to compare patches with."""
        if not isinstance(self.data, ImageFolder):
            return list(targets)
        there = counted(self.data)["train"]
        return [k for k in targets if there.get(k)]

    def check(self, sources: Iterable[int | None], targets: Iterable[int]) -> None:
        """Whether there are images of all classes that are needed; the emoji world draws as many as are asked for.

        Raises:
            InputError: there are too few of one.
        """
        if not isinstance(self.data, ImageFolder):
            return
        counts = counted(self.data)
        for index in sorted({source for source in sources if source is not None}):
            for split, least in LEAST.items():
                if counts[split].get(index, 0) < least:
                    part = "to make patches on" if split == "train" else "held out, by their hashes,"
                    raise InputError(
                        f"of the source {self.data.classes[index]!r} there are {counts[split].get(index, 0)} "
                        f"photographs {part} and {least} are needed",
                        "a folder with 30 photographs of it, WordNet ids in the file names or as folders",
                    )
        for index in sorted(set(targets)):
            if not self.seen([index]):
                raise InputError(
                    f"there is no photograph of the target {self.data.classes[index]!r} to compare patches with",
                    "a folder with some of it, WordNet ids in the file names or as folders",
                )


def counted(folder: ImageFolder) -> dict[str, dict[int, int]]:
    """How many photographs of each class are in each split."""
    found: dict[str, dict[int, int]] = {}
    for split in LEAST:
        there = found[split] = dict[int, int]()
        for position in folder.manifest.split(split):
            label = folder.manifest.photographs[position].label
            there[label] = there.get(label, 0) + 1
    return found


def surroundings(net: str, photographs: str | None = None, pool: str | None = None) -> Surroundings:
    """The emoji world, or a folder of photographs and a pool.

    Args:
        net: the network that is looked into.
        photographs, pool: where they lie; both or none.

    Raises:
        UsageError: a network that does not go with them, or one without the other.
        InputError: there is no such folder or pool.
    """
    if photographs is None and pool is None:
        check_network(net)
        return Surroundings(data=DATA.make("emoji"), pool=attacking.everything(), emoji=True)
    if photographs is None or pool is None:
        raise UsageError(
            "photographs and a pool of natural patches go together", "--data FOLDER --pool FOLDER, or neither"
        )
    return Surroundings(
        data=folder_of(net, photographs), pool=opened(Path(pool), PATCH), emoji=False, called=Path(pool).name
    )
