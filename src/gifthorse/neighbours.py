"""Which of very many vectors are nearest to each of some queries: exact, in one pass, in memory that does not grow.

A product in float32 finds what may be among the nearest, with room for the most that rounding can do. How near the k-th
best is at least is kept from step to step, for all queries at once, so that most of the pass is the product. What is
left at the end is read again and its similarities are worked out in float64, each by itself, so that they depend on
nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gifthorse.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    Floats = npt.NDArray[np.floating[Any]]
    Whole = npt.NDArray[np.int64]
    Exact = npt.NDArray[np.float64]

STEP = 128 << 20
"""Bytes of vectors and rough similarities, as float32, that are in memory at once."""

BLOCK = 64
"""Pairs whose products, in float64, are in a core's own cache at once."""


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """What a search found, for M queries.

    Attributes:
        ids: for each query the ids of the vectors nearest to it, the nearest first; as many as were asked for, or all.
        similarities: their cosine similarities, float64; within 0.001 of those of the vectors before they were rounded.
    """

    ids: tuple[tuple[str, ...], ...]
    similarities: tuple[tuple[float, ...], ...]


def merged(found: Sequence[Nearest], k: int) -> Nearest:
    """What the same queries find in several pools together, from what they find in each: so machines share a search.

    Args:
        found: of one search in each pool, for k vectors or more.
    """
    ids, similarities = list[tuple[str, ...]](), list[tuple[float, ...]]()
    for each in zip(*((zip(one.ids, one.similarities, strict=True)) for one in found), strict=True):
        pairs = sorted(
            (-value, name.encode()) for names, values in each for name, value in zip(names, values, strict=True)
        )
        ids.append(tuple(name.decode() for _, name in pairs[:k]))
        similarities.append(tuple(-value for value, _ in pairs[:k]))
    return Nearest(ids=tuple(ids), similarities=tuple(similarities))


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Vectors of length 1 as float16, with their ids, in parts that are opened when they are needed.

    Attributes:
        rows: vectors of each part.
        dimensions: of each vector.
        vectors: number of a part to its vectors ``(rows, dimensions)`` float16.
        ids: number of a part to their ids ``(rows,)`` as bytes.
    """

    rows: tuple[int, ...]
    dimensions: int
    vectors: Callable[[int], npt.NDArray[np.float16]]
    ids: Callable[[int], npt.NDArray[np.bytes_]]

    def places(self, places: Whole) -> Iterator[tuple[int, Whole, Whole]]:
        """Places in the whole as (part, row numbers in it, which of ``places`` these are), one part after another."""
        import numpy as np

        order = np.argsort(places, kind="stable")
        starts = np.cumsum([0, *self.rows])
        cuts = np.searchsorted(places[order], starts)
        for part in np.flatnonzero(np.diff(cuts)).tolist():
            which = order[cuts[part] : cuts[part + 1]]
            yield part, places[which] - starts[part], which


def directions(queries: Floats, k: int, dimensions: int) -> Exact:
    """Queries ``(M, dimensions)`` as float64 of length 1.

    Raises:
        UsageError: queries of another shape, or k below 1.
    """
    import numpy as np

    if queries.ndim != 2 or queries.shape[1] != dimensions or k < 1:
        raise UsageError(f"queries are {queries.shape} and k is {k}", f"(M, {dimensions}), and k from 1")
    wide: Exact = queries.astype(np.float64)
    wide /= np.sqrt(np.square(wide).sum(1, keepdims=True))
    return wide


def nearest(shards: Shards, wide: Exact, k: int, step: int = STEP, device: str = "cpu") -> Nearest:
    """The k vectors nearest to each query: exact, ties broken by id, whatever the parts and the steps.

    Args:
        wide: of :func:`directions`.
        step: bytes of vectors and rough similarities, as float32, that are in memory at once.
        device: where the product is computed.
    """
    import numpy as np
    import torch

    k = min(k, sum(shards.rows))
    if not len(wide) or not k:
        return Nearest(ids=((),) * len(wide), similarities=((),) * len(wide))
    asked = torch.from_numpy(wide.astype(np.float32)).to(device)
    error = _error(shards.dimensions)
    pile = _Pile(shards, wide, k)
    # the best k rough similarities so far: no vector is among the nearest that is below the last of them by two errors
    top = torch.full((len(wide), k), -torch.inf, device=device)
    floor = top[:, -1]
    for start, part in steps(shards, max(1, step // (4 * (shards.dimensions + len(wide)))), device):
        close = asked @ part.T
        may = close >= floor[:, None]
        if int(may.count_nonzero()) > 2 * top.numel():  # as at the beginning: too many to look at one by one
            top = torch.cat([top, close.topk(min(k, len(part)), sorted=False).values], 1).topk(k).values
            floor = torch.maximum(top[:, -1] - 2 * error, floor)
            may, known = close >= floor[:, None], True
        else:
            known = False
        query, column = may.nonzero(as_tuple=True)
        rough = close[query, column]
        if not known:
            top = _raised(top, query, rough)
            floor = torch.maximum(top[:, -1] - 2 * error, floor)
        pile.add(query.cpu().numpy(), start + column.cpu().numpy(), rough.cpu().numpy())
        settled = pile.kept_small(floor.cpu().numpy())
        if settled is not None:
            floor = torch.maximum(torch.from_numpy((settled - error).astype(np.float32)).to(device), floor)
    return pile.nearest()


def _error(dimensions: int) -> float:
    """The most that a rough similarity may be away from the one in float64.

    A product in float32 in any order is off by at most d u sum|a b|, to first order (Higham 2002, 3.5), which is at
    most d u for vectors of length 1. The query's rounding adds u, that of what is compared another, the sum in float64
    d 2^-53; a float16 vector's length may be 1 + 2^-11. The rest is for safety.
    """
    return 1.01 * (dimensions + 8) * 2.0**-24


def steps(shards: Shards, most: int, device: str) -> Iterator[tuple[int, Tensor]]:
    """All vectors as float32 on the device, at most so many at once, each time with the place of the first.

    Each time in the same memory, which is read before it is written again.
    """
    import torch

    room = torch.empty(min(most, max(shards.rows)), shards.dimensions, device=device)
    begin = 0
    for number, rows in enumerate(shards.rows):
        if rows:
            vectors = torch.from_numpy(shards.vectors(number))
            each = -(-rows // -(-rows // most))  # steps of one part are of one size, as nearly as can be
            for start in range(0, rows, each):
                part = vectors[start : start + each]
                yield begin + start, room[: len(part)].copy_(part)
        begin += rows


def _raised(top: Tensor, query: Tensor, rough: Tensor) -> Tensor:
    """The best of ``top`` ``(M, k)`` and of more similarities, which are in the order of their queries."""
    import torch

    if not len(query):
        return top
    counts = torch.bincount(query, minlength=len(top))
    more = torch.full((len(top), int(counts.max())), -torch.inf, device=top.device)
    more[query, torch.arange(len(query), device=top.device) - (counts.cumsum(0) - counts)[query]] = rough
    return torch.cat([top, more], 1).topk(top.shape[1]).values


class _Pile:
    """Pairs of a query and a vector that may be among its nearest.

    It is cleared of those that no longer may whenever it has doubled. Where that is not enough, since very many vectors
    are alike, exact similarities and ids decide: so its size depends on M and k, and not on the pool.
    """

    def __init__(self, shards: Shards, wide: Exact, k: int) -> None:
        import numpy as np

        self.shards, self.wide, self.k = shards, wide, k
        self._least, self._most = 2 * k * len(wide), 4 * k * len(wide)
        none = np.zeros(0, np.int64)
        self._best = Ranked(pairs=Pairs(query=none, place=none, value=np.zeros(0)), ids=np.zeros(0, "S1"))
        self._hold(none, none, np.zeros(0, np.float32))

    def _hold(self, query: Whole, place: Whole, rough: npt.NDArray[np.float32]) -> None:
        self._query, self._place, self._rough = [query], [place], [rough]
        self._size = len(query)
        self._mark = max(self._least, 2 * self._size)

    def add(self, query: Whole, place: Whole, rough: npt.NDArray[np.float32]) -> None:
        """Put some pairs on it."""
        self._query.append(query)
        self._place.append(place)
        self._rough.append(rough)
        self._size += len(query)

    def kept_small(self, floor: npt.NDArray[np.float32]) -> Exact | None:
        """Clear it where it has grown; the exact k-th best of each query where these were worked out."""
        import numpy as np

        if self._size <= self._mark:
            return None
        query, place = np.concatenate(self._query), np.concatenate(self._place)
        rough = np.concatenate(self._rough)
        still = rough >= floor[query]
        self._hold(query[still], place[still], rough[still])
        if self._size <= self._most:
            return None
        self._settle()
        return self._best.last(len(self.wide), self.k)

    def _settle(self) -> None:
        import numpy as np

        query, place = np.concatenate(self._query), np.concatenate(self._place)
        self._hold(query[:0], place[:0], self._rough[0][:0])
        more = Pairs(query=query, place=place, value=exact(self.shards, self.wide, query, place))
        self._best = best(self.shards, self._best.pairs.and_also(more), self.k)

    def nearest(self) -> Nearest:
        """What is left, in order."""
        self._settle()
        return self._best.told(len(self.wide))


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of a query and a vector, with their exact similarity.

    Attributes:
        query: number of each query.
        place: of each vector in the whole.
        value: their similarities.
    """

    query: Whole
    place: Whole
    value: Exact

    def __getitem__(self, which: Any) -> Pairs:
        return Pairs(query=self.query[which], place=self.place[which], value=self.value[which])

    def and_also(self, other: Pairs) -> Pairs:
        """These and the others."""
        import numpy as np

        return Pairs(**{name: np.concatenate([mine, getattr(other, name)]) for name, mine in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The best pairs of each query, one query after another, the best first; and their ids."""

    pairs: Pairs
    ids: npt.NDArray[np.bytes_]

    def last(self, count: int, k: int) -> Exact:
        """The k-th best similarity of each of ``count`` queries, minus infinity where there are fewer."""
        import numpy as np

        ends = np.searchsorted(self.pairs.query, np.arange(count), side="right")
        full = np.diff(ends, prepend=0) >= k
        found = np.full(count, -np.inf)
        found[full] = self.pairs.value[ends[full] - 1]
        return found

    def told(self, count: int) -> Nearest:
        """The same as a search of ``count`` queries tells it."""
        import numpy as np

        edges = np.searchsorted(self.pairs.query, np.arange(count + 1)).tolist()
        names, values = [each.decode() for each in self.ids.tolist()], self.pairs.value.tolist()
        cuts = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
        return Nearest(
            ids=tuple(tuple(names[cut]) for cut in cuts), similarities=tuple(tuple(values[cut]) for cut in cuts)
        )


def picked(shards: Shards, places: Whole) -> npt.NDArray[np.float32]:
    """Some vectors by their places, ``(n, dimensions)`` float32."""
    import numpy as np

    found = np.empty((len(places), shards.dimensions), np.float32)
    for part, rows, which in shards.places(places):
        found[which] = shards.vectors(part)[rows]
    return found


def exact(shards: Shards, wide: Exact, query: Whole, place: Whole) -> Exact:
    """Cosine similarities of pairs of a query and a vector, in float64, each worked out by itself."""
    import numpy as np
    import torch

    values = np.empty(len(place))

    def work(vectors: npt.NDArray[np.float16], rows: Whole, which: Whole) -> None:
        narrow = np.empty((BLOCK, shards.dimensions), np.float16)
        seen, asked = np.empty((2, BLOCK, shards.dimensions))
        for start in range(0, len(rows), BLOCK):
            here = which[start : start + BLOCK]
            count = len(here)
            np.take(vectors, rows[start : start + BLOCK], axis=0, out=narrow[:count], mode="clip")
            np.copyto(seen[:count], narrow[:count])
            np.take(wide, query[here], axis=0, out=asked[:count], mode="clip")
            np.multiply(seen[:count], asked[:count], out=seen[:count])
            values[here] = seen[:count].sum(1)

    count = torch.get_num_threads()
    with ThreadPoolExecutor(count) as threads:
        for part, rows, which in shards.places(place):  # one after another, so that no more than one is mapped
            vectors, each = np.asarray(shards.vectors(part)), -(-len(rows) // count)
            cuts = [slice(start, start + each) for start in range(0, len(rows), each)]
            list(threads.map(lambda cut: work(vectors, rows[cut], which[cut]), cuts))  # noqa: B023
    return values


def best(shards: Shards, pairs: Pairs, k: int) -> Ranked:
    """Of each query the k best pairs, ties broken by id."""
    import numpy as np

    pairs = pairs[np.lexsort((-pairs.value, pairs.query))]
    starts = np.searchsorted(pairs.query, pairs.query)
    last = np.minimum(starts + k, np.searchsorted(pairs.query, pairs.query, side="right")) - 1
    pairs = pairs[pairs.value >= pairs.value[last]]  # whatever ties with the last may be it
    found = [(which, shards.ids(part)[rows]) for part, rows, which in shards.places(pairs.place)]
    ids = np.concatenate([names for _, names in found]) if found else np.zeros(0, "S1")
    ids[np.concatenate([which for which, _ in found]) if found else []] = ids.copy()
    order = np.lexsort((ids, -pairs.value, pairs.query))
    pairs, ids = pairs[order], ids[order]
    first = np.arange(len(order)) - np.searchsorted(pairs.query, pairs.query) < k
    return Ranked(pairs=pairs[first], ids=ids[first])
