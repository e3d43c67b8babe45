"""Embeddings on disk: exact search, whatever the shards; nothing is lost, and what is damaged is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse import neighbours
from gifthorse.embeddings import Embeddings
from gifthorse.errors import CorruptUnit, InputError, UsageError

D = 6
TOLD = {"classifier": "abc", "size": 18}


def filled(root: Path, vectors: np.ndarray, ids: list[str], cuts: list[int]) -> Embeddings:
    made = Embeddings(root, TOLD, vectors.shape[1])
    for number, rows in enumerate(np.split(np.arange(len(ids)), cuts)):
        if len(rows):
            made.add(f"part {number}", [ids[int(k)] for k in rows], vectors[rows])
    return made


def brute(vectors: np.ndarray, ids: list[str], query: np.ndarray, k: int) -> tuple[list[str], list[float]]:
    """One query after the other, one vector after the other."""
    units = (vectors / np.sqrt((vectors.astype(np.float64) ** 2).sum(1, keepdims=True))).astype(np.float16)
    asked = query.astype(np.float64) / np.sqrt((query.astype(np.float64) ** 2).sum())
    values = [-float((unit.astype(np.float64) * asked).sum()) for unit in units]
    found = sorted(zip(values, ids, strict=True))
    return [name for _, name in found[:k]], [-value for value, _ in found[:k]]


coarse = st.integers(-2, 2)  # few values, so that many vectors are alike and ties are common


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_found_is_what_one_by_one_finds_whatever_the_shards(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    n, m = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    rows = st.lists(coarse, min_size=D, max_size=D).filter(any)
    vectors = np.array(data.draw(st.lists(rows, min_size=n, max_size=n)), np.float32)
    queries = np.array(data.draw(st.lists(rows, min_size=m, max_size=m)), np.float32)
    ids = [f"picture {k}" for k in data.draw(st.permutations(range(n)))]
    k = data.draw(st.integers(1, 12))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
    made = filled(tmp_path_factory.mktemp("shards") / "e", vectors, ids, cuts)
    found = made.search(queries, k, step=4 * D * data.draw(st.integers(1, 50)))
    for query, names, values in zip(queries, found.ids, found.similarities, strict=True):
        wanted_names, wanted = brute(vectors, ids, query, k)
        assert list(names) == wanted_names
        assert list(values) == wanted, "to the last bit"


def test_many_vectors_in_many_dimensions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 64))
    vectors = (centres[rng.integers(5, size=3000)] + 0.2 * rng.normal(size=(3000, 64))).astype(np.float32)
    vectors[1000:1100] = vectors[0]
    ids = [f"{k:05}" for k in rng.permutation(3000)]
    queries = np.concatenate([vectors[:3], rng.normal(size=(3, 64)).astype(np.float32)])
    one = filled(tmp_path / "one", vectors, ids, []).search(queries, 150)
    order = rng.permutation(3000)
    other = filled(tmp_path / "other", vectors[order], [ids[int(k)] for k in order], [7, 900, 901, 2500])
    assert other.search(queries, 150, step=64 * 4 * 97) == one
    for query, names, values in zip(queries, one.ids, one.similarities, strict=True):
        assert (list(names), list(values)) == brute(vectors, ids, query, 150)


def test_vectors_that_float32_cannot_tell_apart(tmp_path: Path) -> None:
    """Each differs from one vector by the last bit of a few numbers: far less than a product in float32 is off by."""
    rng = np.random.default_rng(2)
    vectors = np.repeat(rng.normal(size=(1, 512)), 2_000, 0)
    vectors[np.arange(2_000)[:, None], rng.integers(512, size=(2_000, 3))] *= 1.001
    ids = [f"{k:05}" for k in rng.permutation(2_000)]
    queries = vectors[:1] + 0.3 * rng.normal(size=(4, 512))
    found = filled(tmp_path / "e", vectors, ids, [700]).search(queries, 40, step=512 * 4 * 90)
    for query, names, values in zip(queries, found.ids, found.similarities, strict=True):
        assert (list(names), list(values)) == brute(vectors, ids, query, 40)


@pytest.mark.parametrize("grows", [True, False])
def test_the_worst_orders(tmp_path: Path, grows: bool) -> None:
    """Every vector is nearer than all before it, or all are alike: what may be among the nearest never gets less."""
    rng = np.random.default_rng(3)
    query = rng.normal(size=(2, 64))
    far = np.linspace(2, 0, 900)[:, None] * rng.normal(size=(1, 64)) if grows else np.zeros((900, 1))
    vectors = query[:1] + far
    ids = [f"{k:05}" for k in rng.permutation(900)]
    found = filled(tmp_path / "e", vectors, ids, [100, 300]).search(query, 7, step=64 * 4 * 20)
    for asked, names, values in zip(query, found.ids, found.similarities, strict=True):
        assert (list(names), list(values)) == brute(vectors, ids, asked, 7)


def test_very_many_that_are_alike_are_not_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = []
    plain = neighbours.exact

    def seen(shards: Any, wide: Any, query: Any, place: Any) -> Any:
        at_once.append(len(place))
        return plain(shards, wide, query, place)

    monkeypatch.setattr(neighbours, "exact", seen)
    ids = [f"{k:05}" for k in range(3_000)]
    made = filled(tmp_path / "e", np.ones((3_000, D)), ids[::-1], [1_000, 2_000])
    assert made.search(np.ones((1, D)), 2, step=4 * (D + 1) * 100).ids == (("00000", "00001"),)
    assert sum(at_once) >= 3_000, "all are as near"
    assert max(at_once) <= 200


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_pools_that_are_searched_apart_find_what_they_do_together(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = st.lists(coarse, min_size=D, max_size=D).filter(any)
    n, k = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 9))
    vectors = np.array(data.draw(st.lists(rows, min_size=n, max_size=n)), np.float32)
    queries, cut = vectors[:2], data.draw(st.integers(1, n - 1))
    ids = [f"{name}" for name in data.draw(st.permutations(range(n)))]
    root = tmp_path_factory.mktemp("pools")
    one, other = filled(root / "1", vectors[:cut], ids[:cut], []), filled(root / "2", vectors[cut:], ids[cut:], [])
    found = neighbours.merged([one.search(queries, k), other.search(queries, k)], k)
    assert found == filled(root / "all", vectors, ids, []).search(queries, k)


def test_similarities_are_cosines(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors, query = rng.normal(size=(50, 32)).astype(np.float32) * 9, rng.normal(size=(1, 32)).astype(np.float32)
    found = filled(tmp_path / "e", vectors, [str(k) for k in range(50)], [20]).search(query, 50)
    cosines = vectors @ query[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query[0])
    for name, value in zip(found.ids[0], found.similarities[0], strict=True):
        assert value == pytest.approx(float(cosines[int(name)]), abs=1e-3)


def test_parts_are_added_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    vectors = np.eye(D, dtype=np.float32)
    made = filled(tmp_path / "e", vectors[:4], list("abcd"), [2])
    again = Embeddings(tmp_path / "e", TOLD, D)
    assert (len(again), [s.part for s in again.shards]) == (4, ["part 0", "part 1"])
    again.add("part 1", list("xy"), vectors[4:])
    assert len(again) == 4, "it was there"
    again.add("part 2", list("ef"), vectors[4:])
    assert Embeddings(tmp_path / "e", TOLD, D).search(vectors[5:], 1).ids == (("f",),)
    assert made.shards == again.shards[:2]


def test_a_shard_without_its_manifest_is_written_again(tmp_path: Path) -> None:
    made = filled(tmp_path / "e", np.eye(D, dtype=np.float32), list("abcdef"), [])
    (tmp_path / "e" / "000001.npy").write_bytes(b"killed in the middle")
    again = Embeddings(tmp_path / "e", TOLD, D)
    again.add("more", ["g"], np.ones((1, D), np.float32))
    assert Embeddings(tmp_path / "e", TOLD, D).search(np.ones((1, D)), 1).ids == (("g",),)
    assert len(made) == 6


def test_what_was_made_in_another_way_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "e", np.eye(D, dtype=np.float32), list("abcdef"), [])
    for told, dimensions in (({**TOLD, "size": 20}, D), (TOLD, D + 1)):
        with pytest.raises(InputError, match="made in another way"):
            Embeddings(tmp_path / "e", told, dimensions)


@pytest.mark.parametrize("name", ["manifest.json", "000000.npy", "000000.ids.npy"])
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    filled(tmp_path / "e", np.eye(D, dtype=np.float32), list("abcdef"), [])
    path = tmp_path / "e" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(CorruptUnit, match=name):
        Embeddings(tmp_path / "e", TOLD, D)
    if name != "manifest.json":
        path.write_bytes(whole[:-3] + b"abc")
        found = Embeddings(tmp_path / "e", TOLD, D).verify()
        assert len(found) == 1
        assert name in found[0]
        path.write_bytes(whole)
        assert Embeddings(tmp_path / "e", TOLD, D).verify() == []


@pytest.mark.parametrize(
    ("vectors", "error", "says"),
    [
        (np.ones((2, D + 1)), UsageError, "vectors are"),
        (np.array([[1.0] * D, [np.nan] * D]), InputError, "embedding of b"),
        (np.zeros((2, D)), InputError, "embedding of a is not finite or is nought"),
    ],
)
def test_wrong_vectors_are_refused(tmp_path: Path, vectors: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Embeddings(tmp_path / "e", TOLD, D).add("part", ["a", "b"], vectors)
    assert not (tmp_path / "e" / "manifest.json").exists()


def test_wrong_questions_are_refused_and_an_empty_folder_finds_nothing(tmp_path: Path) -> None:
    made = Embeddings(tmp_path / "e", TOLD, D)
    assert made.search(np.ones((2, D)), 3).ids == ((), ())
    for queries, k in ((np.ones((2, D + 1)), 1), (np.ones(D), 1), (np.ones((1, D)), 0)):
        with pytest.raises(UsageError, match="queries are"):
            made.search(queries, k)


MEMORY = """
import sys, resource
import numpy as np
from pathlib import Path
from gifthorse.embeddings import Embeddings
made = Embeddings(Path(sys.argv[1]), {}, 512)
made.search(np.ones((4, 512)), 50, step=4 << 20)
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not say what is anonymous memory")
def test_memory_does_not_grow_with_the_pool(tmp_path: Path) -> None:
    """What is mapped from files counts for nothing; the rest stays (P39)."""
    rng, used = np.random.default_rng(0), []
    for shards in (1, 8):
        made = Embeddings(tmp_path / str(shards), {}, 512)
        for number in range(shards):
            # the second half of each part is one vector, which a search may not collect
            vectors = np.concatenate([rng.normal(size=(4_000, 512)), np.ones((4_000, 512))])
            made.add(str(number), [f"{number}-{k}" for k in range(8_000)], vectors)
        said = subprocess.run(
            [sys.executable, "-c", MEMORY, str(made.root)], capture_output=True, text=True, check=True
        )
        used.append(int(said.stdout.split()[0]))
    assert used[1] < 1.1 * used[0]
