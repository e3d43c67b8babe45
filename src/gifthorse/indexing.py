"""An index over very many embeddings, for interactive use: it shortlists, and exact similarities decide.

FAISS' IVF-PQ (Jegou et al. 2011; the extra ``faiss``): vectors lie in cells, and what is left of each after its cell's
middle is told in a few bytes. A search looks into some cells, and what seems nearest there is compared exactly. It may
miss some of the nearest: how many it finds is measured against exact search when the index is made, and kept with it.
"""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gifthorse import disk, neighbours
from gifthorse.embeddings import Embeddings
from gifthorse.errors import InputError, MissingExtra, UsageError
from gifthorse.neighbours import Nearest
from gifthorse.records import digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

MANIFEST, FILE = "index.json", "index.faiss"

LEAST = 10_000
"""Vectors of the smallest pool that has an index: k-means wants some 39 for each of 256 middles."""

EACH = 39
"""Vectors that each cell is trained with, as few as FAISS takes without a warning."""

TRAINED = 512 << 20
"""Bytes of vectors, as float32, that an index is trained with at most."""


class Searchable(Protocol):
    """What finds the vectors nearest to queries: all of them, or an index."""

    def search(self, queries: Floats, k: int, *, device: str = "cpu") -> Nearest:
        """The k nearest to each of ``(M, dimensions)``, by cosine similarity."""


@dataclass(frozen=True, kw_only=True)
class Indexing:
    """How an index is made and asked (our choices).

    Attributes:
        cells: of the pool; None is four times the square root of its size, or as many as the memory for training has
            vectors for.
        bytes: that tell a vector within its cell; the nearest number that divides its dimensions, from below.
        probes: cells that a search looks into.
        shortlist: vectors that are compared exactly, for each one that is asked for.
        tried: vectors of the pool that recall is measured with.
        k: how many nearest of each of these.
        seed: of the choice of vectors to train and to measure with.
    """

    cells: int | None = None
    bytes: int = 64
    probes: int = 32
    shortlist: int = 8
    tried: int = 100
    k: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name != "seed" and value is not None and value < 1:
                raise UsageError(f"{name} is {value}", "a number above 0")


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Of the ``k`` nearest that exact search finds, the share that an index does: mean and lowest over its queries."""

    mean: float
    lowest: float
    queries: int
    k: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} of the {self.k} nearest, at least {self.lowest:.3f} of any of {self.queries} queries"


@dataclass(frozen=True)
class Index:
    """An index, ready to be asked.

    Attributes:
        kept: the vectors.
        how: it was made.
        recall: that was measured when it was.
        built: whether this call made it.
    """

    kept: Embeddings
    how: Indexing
    inner: Any
    recall: Recall
    built: bool = False

    @classmethod
    def of(cls, kept: Embeddings, how: Indexing = Indexing(), say: Callable[[str], object] = print) -> Index:
        """The index of embeddings: the one beside them if it is of just these, else a new one, which is kept there.

        Args:
            say: told the recall, and whether it was measured now.

        Raises:
            MissingExtra: FAISS is not installed.
            InputError: so few vectors that exact search is quicker.
        """
        if importlib.util.find_spec("faiss") is None:
            raise MissingExtra("FAISS is not installed", "pip install 'gifthorse[faiss]', or search without an index")
        if len(kept) < LEAST:
            raise InputError(
                f"an index of {len(kept):,} vectors gains nothing", f"exact search, or {LEAST:,} vectors or more"
            )
        root = kept.root / f"index-{digest(asdict(how))[:16]}"
        found = cls._read(root, kept, how)
        if found is None:
            found = cls._made(kept, how)
            found._write(root)
        when = "measured now" if found.built else "measured when it was made"
        say(f"the index over {len(kept):,} vectors finds {found.recall} ({when})")
        return found

    @classmethod
    def _read(cls, root: Path, kept: Embeddings, how: Indexing) -> Index | None:
        import faiss

        path, file = root / MANIFEST, root / FILE
        told = disk.unseal(path.read_bytes()) if path.exists() else None
        if told is None or told["of"] != _of(kept) or not file.exists():
            return None
        if vars(disk.measure(file)) != told["file"]:  # FAISS believes what it reads
            return None
        inner = faiss.read_index(str(file))
        return cls(kept, how, inner, Recall(**told["recall"]))

    @classmethod
    def _made(cls, kept: Embeddings, how: Indexing) -> Index:
        import faiss
        import numpy as np
        import torch

        faiss.omp_set_num_threads(torch.get_num_threads())  # as many as everything else
        rng, shards = np.random.default_rng(how.seed), kept.shards_opened()
        cells = how.cells or int(4 * len(kept) ** 0.5)
        most = min(len(kept), TRAINED // (4 * kept.dimensions))
        cells = min(cells, max(1, most // EACH))
        training = rng.choice(len(kept), min(most, max(EACH * cells, EACH * 256)), replace=False)
        pieces = next(n for n in range(min(how.bytes, kept.dimensions), 0, -1) if kept.dimensions % n == 0)
        inner = faiss.index_factory(kept.dimensions, f"IVF{cells},PQ{pieces}", faiss.METRIC_INNER_PRODUCT)
        faiss.extract_index_ivf(inner).cp.seed = how.seed + 1
        inner.train(neighbours.picked(shards, training))
        for _, part in neighbours.steps(shards, max(1, neighbours.STEP // (4 * kept.dimensions)), "cpu"):
            inner.add(part.numpy())
        queries = neighbours.picked(shards, rng.choice(len(kept), min(how.tried, len(kept)), replace=False))
        made = cls(kept, how, inner, Recall(mean=0.0, lowest=0.0, queries=len(queries), k=how.k), built=True)
        return replace(made, recall=made.measured(queries))

    def _write(self, root: Path) -> None:
        import faiss

        disk.make_folder(root)
        fresh = root / f".{FILE}.{uuid.uuid4().hex}"
        with disk.speaking(root):
            faiss.write_index(self.inner, str(fresh))
            disk.sync(fresh)
            entry = disk.measure(fresh)
            (root / MANIFEST).unlink(missing_ok=True)
            fresh.replace(root / FILE)
            told = {"of": _of(self.kept), "how": asdict(self.how), "recall": asdict(self.recall), "file": vars(entry)}
            disk.replace(root / MANIFEST, disk.seal(told))

    def search(self, queries: Floats, k: int, *, device: str = "cpu") -> Nearest:
        """As :meth:`~gifthorse.embeddings.Embeddings.search`, but it may miss some; similarities are exact.

        Args:
            device: is not used: the index is asked on the CPU.

        Raises:
            UsageError: queries of another shape, or k below 1.
        """
        import faiss
        import numpy as np
        import torch

        del device
        wide = neighbours.directions(queries, k, self.kept.dimensions)
        faiss.omp_set_num_threads(torch.get_num_threads())
        self.inner.nprobe = min(self.how.probes, self.inner.nlist)
        found = self.inner.search(wide.astype(np.float32), min(self.how.shortlist * k, len(self.kept)))[1]
        query, column = (found >= 0).nonzero()
        place, shards = found[query, column], self.kept.shards_opened()
        pairs = neighbours.Pairs(query=query, place=place, value=neighbours.exact(shards, wide, query, place))
        return neighbours.best(shards, pairs, k).told(len(wide))

    def measured(self, queries: Floats) -> Recall:
        """Its recall against exact search with some queries ``(M, dimensions)``."""
        right, mine = (which.search(queries, self.how.k).ids for which in (self.kept, self))
        shares = [len(set(a) & set(b)) / len(a) for a, b in zip(right, mine, strict=True)]
        return Recall(mean=sum(shares) / len(shares), lowest=min(shares), queries=len(shares), k=self.how.k)


def _of(kept: Embeddings) -> str:
    """What an index is of: the very bytes of the vectors, in order."""
    return digest([[shard.part, vars(shard.vectors), vars(shard.ids)] for shard in kept.shards])
