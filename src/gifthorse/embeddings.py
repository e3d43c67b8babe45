"""Embeddings of very many pictures on disk: shards that are only ever added, and exact search in bounded memory.

At this size an index costs more than it gives: ten queries or a thousand are one pass over the shards. What is found is
the same whatever the shards, their order and the size of a step, ties broken by id (P37).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gifthorse import disk, neighbours
from gifthorse.errors import CorruptUnit, InputError, UsageError
from gifthorse.neighbours import Nearest
from gifthorse.records import canonical

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of a pool, embedded.

    Attributes:
        number: of its files.
        part: which part, as its source calls it.
        rows: vectors in it.
        passed_over: pictures of the part that have none.
        vectors, ids: hash and length of the two files.
    """

    number: int
    part: str
    rows: int
    passed_over: int
    vectors: disk.FileEntry
    ids: disk.FileEntry


@dataclass
class Embeddings:
    """A folder of embeddings that were all made in one way. Vectors have length 1 and are stored as float16.

    Attributes:
        root: the folder; it is made with the first shard.
        told: what the vectors depend on, such as the digest of a classifier and how pictures were prepared.
        dimensions: of each vector.

    Raises:
        InputError: the folder's vectors were made in another way.
        CorruptUnit: its manifest is damaged, or a file of it has another length.
    """

    root: Path
    told: Mapping[str, Any]
    dimensions: int
    shards: list[Shard] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        path = self.root / MANIFEST
        if not path.exists():
            return
        kept = disk.unseal(path.read_bytes())
        if kept is None:
            raise CorruptUnit(f"{path} is damaged", f"rm -r {self.root} and embed again")
        own = {"told": dict(self.told), "dimensions": self.dimensions}
        if canonical({name: kept[name] for name in own}) != canonical(own):
            raise InputError(f"{self.root} holds embeddings that were made in another way", "another folder")
        for row in kept["shards"]:
            entries = {name: disk.FileEntry(**row[name]) for name in ("vectors", "ids")}
            part, rows, lost = row["part"], row["rows"], row["passed_over"]
            shard = Shard(number=len(self.shards), part=part, rows=rows, passed_over=lost, **entries)
            for kind, entry in (("npy", shard.vectors), ("ids.npy", shard.ids)):
                file = self._path(len(self.shards), kind)
                if not file.exists() or file.stat().st_size != entry.bytes:
                    raise CorruptUnit(f"{file} is not as long as it was written", f"rm -r {self.root} and embed again")
            self.shards.append(shard)

    def __len__(self) -> int:
        return sum(shard.rows for shard in self.shards)

    def has(self, part: str) -> bool:
        """Whether a part of the pool is embedded already: what was interrupted goes on behind it."""
        return any(shard.part == part for shard in self.shards)

    def _path(self, number: int, kind: str) -> Path:
        return self.root / f"{number:06}.{kind}"

    def add(self, part: str, ids: Sequence[str], vectors: Floats, passed_over: int = 0) -> None:
        """Write a part of the pool; whole, or not at all.

        Args:
            part: its name; one that is there already is left as it is.
            ids: of the pictures, different ones in the whole pool.
            vectors: ``(n, dimensions)``, finite; made to have length 1.
            passed_over: pictures of the part that are left out.

        Raises:
            UsageError: vectors of another shape, or not as many as ids.
            InputError: one is not finite, or nought.
        """
        import numpy as np

        if self.has(part):
            return
        if vectors.shape != (len(ids), self.dimensions):
            raise UsageError(f"vectors are {vectors.shape}", f"({len(ids)}, {self.dimensions})")
        lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(1))
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            bad = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))[0])
            raise InputError(f"the embedding of {ids[bad]} is not finite or is nought", "leave that picture out")
        disk.make_folder(self.root)
        number = len(self.shards)
        with disk.speaking(self.root):
            shard = Shard(
                number=number,
                part=part,
                rows=len(ids),
                passed_over=passed_over,
                vectors=disk.write_array(self._path(number, "npy"), (vectors / lengths[:, None]).astype(np.float16)),
                ids=disk.write_array(self._path(number, "ids.npy"), np.array([each.encode() for each in ids])),
            )
            disk.sync(self.root)
            rows = [
                {name: getattr(s, name) for name in ("part", "rows", "passed_over")}
                | {"vectors": vars(s.vectors), "ids": vars(s.ids)}
                for s in (*self.shards, shard)
            ]
            told = {"told": dict(self.told), "dimensions": self.dimensions, "shards": rows}
            disk.replace(self.root / MANIFEST, disk.seal(told))
        self.shards.append(shard)

    def only(self, parts: AbstractSet[str]) -> Embeddings:
        """The same folder with some of its parts alone, to be searched: other pools may keep theirs there too."""
        found = copy.copy(self)
        found.shards = [shard for shard in self.shards if shard.part in parts]
        return found

    def verify(self) -> list[str]:
        """What is damaged, in words; nothing if every byte is as it was written. Reads everything."""
        found = []
        for shard in self.shards:
            for kind, entry in (("npy", shard.vectors), ("ids.npy", shard.ids)):
                path = self._path(shard.number, kind)
                if not path.exists() or disk.measure(path) != entry:
                    found.append(f"{path} has bytes that its manifest does not name")
        return found

    def shards_opened(self) -> neighbours.Shards:
        """All vectors and their ids, mapped from the files when they are needed."""
        import numpy as np

        def file(kind: str) -> Callable[[int], Any]:
            # copy on write, since torch warns of arrays that nothing may write to
            return lambda place: np.load(self._path(self.shards[place].number, kind), mmap_mode="c")

        return neighbours.Shards(
            rows=tuple(shard.rows for shard in self.shards),
            dimensions=self.dimensions,
            vectors=file("npy"),
            ids=file("ids.npy"),
        )

    def search(self, queries: Floats, k: int, step: int = neighbours.STEP, device: str = "cpu") -> Nearest:
        """The vectors nearest to each query by cosine similarity: exact, in one pass over all shards.

        Args:
            queries: ``(M, dimensions)``, none of them nought.
            k: how many for each.
            step: bytes of vectors and rough similarities, as float32, that are in memory at once.
            device: where the product is computed.

        Raises:
            UsageError: queries of another shape, or k below 1.
        """
        wide = neighbours.directions(queries, k, self.dimensions)
        return neighbours.nearest(self.shards_opened(), wide, k, step, device)
