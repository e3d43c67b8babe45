"""An index over embeddings: what it gives is compared exactly, what it misses is measured, and it is kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gifthorse.embeddings import Embeddings
from gifthorse.errors import InputError, MissingExtra, UsageError
from gifthorse.indexing import FILE, Index, Indexing

N, D = 12_000, 32
HOW = Indexing(cells=20, bytes=4, probes=2, shortlist=3, tried=20, k=30)

needs_faiss = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="the extra faiss is not installed")


def vectors(count: int, seed: int) -> np.ndarray:
    rng, centres = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(60, D))
    made: np.ndarray = centres[rng.integers(60, size=count)] + 0.4 * rng.normal(size=(count, D))
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    made = Embeddings(tmp_path_factory.mktemp("pool") / "e", {}, D)
    for number, rows in enumerate(np.split(np.arange(N), [5_000])):
        made.add(str(number), [f"{k:06}" for k in rows], vectors(N, 1)[rows])
    return made


@needs_faiss
def test_it_finds_most_of_the_nearest_and_says_how_many(kept: Embeddings) -> None:
    said: list[str] = []
    index = Index.of(kept, HOW, said.append)
    assert index.built
    assert 0.6 < index.recall.mean < 1, "an index that misses nothing is no index"
    assert index.recall.lowest <= index.recall.mean
    assert f"finds {index.recall.mean:.3f} of the 30 nearest" in said[0]
    queries = vectors(50, 2)
    assert abs(index.measured(queries).mean - index.recall.mean) < 0.1, "queries that are not of the pool"


@needs_faiss
def test_what_it_gives_has_exact_similarities_in_order(kept: Embeddings) -> None:
    queries = vectors(5, 3)
    found, right = Index.of(kept, HOW, str).search(queries, 30), kept.search(queries, N)
    for names, values, every, exact in zip(found.ids, found.similarities, right.ids, right.similarities, strict=True):
        told = dict(zip(every, exact, strict=True))
        assert [told[name] for name in names] == list(values), "to the last bit"
        assert list(values) == sorted(values, reverse=True)
        assert len(set(names)) == len(names) == 30


@needs_faiss
def test_one_that_looks_everywhere_and_compares_everything_is_exact(kept: Embeddings) -> None:
    how = Indexing(cells=4, bytes=2, probes=4, shortlist=N, tried=3, k=10)
    index = Index.of(kept, how, str)
    assert (index.recall.mean, index.recall.lowest) == (1, 1)
    assert index.search(vectors(4, 4), 10) == kept.search(vectors(4, 4), 10)


@needs_faiss
def test_it_is_kept_until_the_pool_or_its_file_changes(tmp_path: Path) -> None:
    made = Embeddings(tmp_path / "e", {}, D)
    made.add("first", [f"{k:06}" for k in range(10_500)], vectors(10_500, 5))
    first = Index.of(made, HOW, str)
    again = Index.of(Embeddings(tmp_path / "e", {}, D), HOW, str)
    assert (first.built, again.built) == (True, False)
    assert again.recall == first.recall
    assert again.search(vectors(3, 6), 5) == first.search(vectors(3, 6), 5)
    file = next((tmp_path / "e").glob(f"index-*/{FILE}"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert Index.of(made, HOW, str).built, "it was damaged"
    made.add("second", ["new"], vectors(1, 7))
    grown = Index.of(made, HOW, str)
    assert grown.built
    assert grown.search(vectors(1, 7), 1).ids == (("new",),)
    assert Embeddings(tmp_path / "e", {}, D).verify() == []


def test_small_pools_and_wrong_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Embeddings(tmp_path / "e", {}, D)
    made.add("few", ["a"], np.ones((1, D)))
    with pytest.raises(UsageError, match="probes is 0"):
        Indexing(probes=0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="FAISS is not installed"):
        Index.of(made)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    with pytest.raises(InputError, match="an index of 1 vectors gains nothing"):
        Index.of(made)
