"""Embeddings of very many pictures on disk: shards that are only ever added, and exact search in bounded memory.

At this size an index costs more than it gives: ten queries or a thousand are one pass over the shards. What is found is
the same whatever the shards, their order and the size of a step, ties broken by id (P37).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gifthorse import disk
from gifthorse.errors import CorruptUnit, InputError, UsageError
from gifthorse.records import canonical

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

MANIFEST = "manifest.json"

STEP = 128 << 20
"""Bytes of vectors, as float32, that are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of a pool, embedded.

    Attributes:
        part: which part, as its source calls it.
        rows: vectors in it.
        passed_over: pictures of the part that have none.
        vectors, ids: hash and length of the two files.
    """

    part: str
    rows: int
    passed_over: int
    vectors: disk.FileEntry
    ids: disk.FileEntry


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """What a search found, for M queries.

    Attributes:
        ids: for each query the ids of the vectors nearest to it, the nearest first; as many as were asked for, or all.
        similarities: their cosine similarities, float64; within 0.001 of those of the vectors before they were rounded.
    """

    ids: tuple[tuple[str, ...], ...]
    similarities: tuple[tuple[float, ...], ...]


@dataclass
class _Best:
    """The best of one query so far, in order."""

    ids: npt.NDArray[np.bytes_]
    values: npt.NDArray[np.float64]


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
            shard = Shard(part=row["part"], rows=row["rows"], passed_over=row["passed_over"], **entries)
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

    def verify(self) -> list[str]:
        """What is damaged, in words; nothing if every byte is as it was written. Reads everything."""
        found = []
        for number, shard in enumerate(self.shards):
            for kind, entry in (("npy", shard.vectors), ("ids.npy", shard.ids)):
                path = self._path(number, kind)
                if not path.exists() or disk.measure(path) != entry:
                    found.append(f"{path} has bytes that its manifest does not name")
        return found

    def search(self, queries: Floats, k: int, step: int = STEP, device: str = "cpu") -> Nearest:
        """The vectors nearest to each query by cosine similarity: exact, in one pass over all shards.

        A product in float32 finds what may be among the nearest, with room for the most that rounding can do; of these,
        similarities are worked out in float64, each by itself, so that they depend on nothing else.

        Args:
            queries: ``(M, dimensions)``, none of them nought.
            k: how many for each.
            step: bytes of vectors, as float32, that are in memory at once.
            device: where the product is computed.

        Raises:
            UsageError: queries of another shape, or k below 1.
        """
        import numpy as np
        import torch

        if queries.ndim != 2 or queries.shape[1] != self.dimensions or k < 1:
            raise UsageError(f"queries are {queries.shape} and k is {k}", f"(M, {self.dimensions}), and k from 1")
        wide = queries.astype(np.float64)
        wide /= np.sqrt(np.square(wide).sum(1, keepdims=True))
        told = torch.from_numpy(wide.astype(np.float32).T.copy()).to(device)
        # |float32 product - exact| <= d u sum|a b| <= d u for vectors of length 1 (Higham 2002, 3.5), on both sides;
        # a float16 vector's length may be longer by its own rounding, and the query's rounding adds as much again
        room = 4 * self.dimensions * 2.0**-24
        best = [_Best(np.zeros(0, "S1"), np.zeros(0)) for _ in queries]
        rows = max(1, step // (4 * self.dimensions))
        for number, shard in enumerate(self.shards):
            vectors = np.load(self._path(number, "npy"), mmap_mode="c")
            ids = np.load(self._path(number, "ids.npy"), mmap_mode="c")
            for start in range(0, shard.rows, rows):
                part = vectors[start : start + rows]
                close = torch.from_numpy(part).to(device).float() @ told
                for query, where in self._candidates(close, best, k, room):
                    exact = (part[where].astype(np.float64) * wide[query]).sum(1)
                    self._merge(best[query], exact, ids[start + where], k)
        return Nearest(
            ids=tuple(tuple(each.decode() for each in one.ids) for one in best),
            similarities=tuple(tuple(one.values.tolist()) for one in best),
        )

    @staticmethod
    def _candidates(close: Any, best: Sequence[_Best], k: int, room: float) -> list[tuple[int, npt.NDArray[np.int64]]]:
        """Of rough similarities ``(rows, M)``, for each query the rows that may be among its k nearest."""
        import numpy as np
        import torch

        bound = torch.tensor([one.values[-1] if len(one.values) == k else -torch.inf for one in best])
        bound = bound.to(close) - room
        if len(close) > k and not bool(torch.isfinite(bound).all()):
            bound = torch.maximum(bound, close.topk(k, dim=0).values[-1] - room)
        query, row = (bound[:, None] <= close.T).nonzero().T.cpu().numpy()
        edges = np.searchsorted(query, np.arange(len(best) + 1))
        return [(q, row[edges[q] : edges[q + 1]]) for q in range(len(best)) if edges[q] < edges[q + 1]]

    @staticmethod
    def _merge(best: _Best, values: npt.NDArray[np.float64], ids: npt.NDArray[np.bytes_], k: int) -> None:
        import numpy as np

        every, names = np.concatenate([best.values, values]), np.concatenate([best.ids, ids])
        order = np.lexsort((names, -every))[:k]
        best.values, best.ids = every[order], names[order]
