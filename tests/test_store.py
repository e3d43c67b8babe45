"""The run folder: what goes in comes out, damage is named, and a full disk leaves nothing half-made."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_cells import cells as some_cells
from small_cells import contents, draw, evidence

from gifthorse import disk
from gifthorse.errors import CorruptUnit, GifthorseError, InputError, LimitReached, Nondeterminism
from gifthorse.records import SCHEMA, Cell, Cost, Evidence, Failure, Images, cell
from gifthorse.store import Store, Unit

COST = Cost(seconds=1.5, forward=3, backward=2, peak_bytes=10, host="here")


def put(store: Store, made: Cell) -> Unit:
    with store.claim(made.key) as mine, store.draft(made) as draft:
        assert mine
        return store.commit(draft, made, draw(store, made, draft), COST)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run")


def test_a_unit_comes_back_as_it_went_in(store: Store) -> None:
    (made,) = some_cells(1)
    unit = put(store, made)
    again = store.get(made.key)
    assert again == unit
    assert (again.key, again.kind, again.inputs) == (made.key, made.kind, made.inputs)
    record = again.record(Evidence)
    assert record.pictures is not None
    assert again.images(record.pictures).shape == (2, 4, 8, 8)
    generator = np.random.default_rng(0)
    assert (again.array("maps") == generator.standard_normal((4, 8)).astype(np.float32)).all()
    assert (again.array("maps.npy") == again.array("maps")).all()
    assert again.read("notes.txt") == b"seed 0\n"
    assert again.file("notes.txt").parent == again.path
    assert again.cost() == COST
    assert sorted(again.files) == ["maps.npy", "notes.txt", "pictures.npy"]
    assert store.verify() == []


def test_the_folder_holds_what_the_design_says(store: Store) -> None:
    (made,) = some_cells(1)
    put(store, made)
    folder = store.root / "units" / made.key[:2] / made.key
    manifest = json.loads((folder / "unit.json").read_text())
    assert {"schema", "key", "kind", "inputs", "record", "files"} <= manifest.keys()
    assert manifest["files"]["notes.txt"] == {"sha256": disk.measure(folder / "notes.txt").sha256, "bytes": 7}
    assert sorted(p.name for p in folder.iterdir()) == [
        "cost.json", "maps.npy", "notes.txt", "pictures.npy", "unit.json"
    ]  # fmt: skip
    assert list((store.root / ".tmp").iterdir()) == []
    assert list((store.root / "claims").iterdir()) == []


def test_opening_a_store_writes_nothing(store: Store) -> None:
    assert not store.has("0" * 64)
    assert list(store.units()) == []
    assert store.failures() == []
    assert store.read_plan() is None
    assert store.verify() == []
    assert not store.root.exists()
    with pytest.raises(InputError, match="has no unit"):
        store.get("0" * 64)


def test_units_are_sorted_by_key_and_chosen_by_kind(store: Store) -> None:
    made = [*some_cells(4), cell("effect", "e", "small_cells:draw", {"seed": 9})]
    for each in made:
        put(store, each)
    assert [unit.key for unit in store.units()] == sorted(each.key for each in made) == store.keys()
    assert [unit.key for unit in store.units("effect")] == [made[-1].key]


def test_what_was_not_kept_is_dropped_at_the_commit(store: Store) -> None:
    (made,) = some_cells(1)
    with store.draft(made) as draft:
        draft.write("kept.bin", b"1")
        (draft.path / "scratch.bin").write_bytes(b"2")
        (draft.path / "folder").mkdir()
        unit = store.commit(draft, made, evidence(0), COST)
    assert list(unit.files) == ["kept.bin"]
    assert not (unit.path / "scratch.bin").exists()
    assert store.verify() == []


def test_a_draft_that_is_not_committed_leaves_nothing(store: Store) -> None:
    (made,) = some_cells(1)
    with store.draft(made) as draft:
        draft.write("half.bin", b"half")
    assert not store.has(made.key)
    assert list((store.root / ".tmp").iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "unit.json", "cost.json", ".hidden", "", "/etc/passwd"])
def test_file_names_stay_inside(store: Store, name: str) -> None:
    with store.draft(some_cells(1)[0]) as draft, pytest.raises(InputError, match="cannot be the name"):
        draft.write(name, b"")


def test_images_are_bytes_of_four_axes(store: Store) -> None:
    with store.draft(some_cells(1)[0]) as draft:
        wrongs: list[Any] = [np.zeros((1, 3, 2, 2), np.float32), np.zeros((3, 2, 2), np.uint8)]
        for wrong in wrongs:
            with pytest.raises(InputError, match="give uint8 of shape"):
                draft.images("x", wrong)


def test_images_of_another_record_are_refused(store: Store) -> None:
    unit = put(store, some_cells(1)[0])
    pictures = unit.record(Evidence).pictures
    assert pictures is not None
    with pytest.raises(CorruptUnit, match="not the set of images that its record names"):
        unit.images(replace(pictures, sha256="0" * 64))
    with pytest.raises(InputError, match=r"has no file 'other\.npy'"):
        unit.images(replace(pictures, file="other.npy"))


ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.dtype(t) for t in ("u1", "<f4", ">f4", "<f8", "<i8", ">i2", "?", "<f2")]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=ARRAYS, data=st.binary(max_size=50), seed=st.integers())
def test_any_array_and_any_bytes_round_trip(store: Store, array: np.ndarray[Any, Any], data: bytes, seed: int) -> None:
    inputs = {
        "seed": seed,
        "array": array.tobytes().hex(),
        "type": array.dtype.str,
        "shape": array.shape,
        "data": data.hex(),
    }
    made = cell("evidence", "x", "m:f", inputs)
    with store.draft(made) as draft:
        draft.array("a", array)
        draft.write("b", data)
        store.commit(draft, made, evidence(seed), COST)
    unit = store.get(made.key)
    np.testing.assert_array_equal(unit.array("a"), array)
    assert unit.array("a").shape == array.shape
    assert unit.read("b") == data
    assert unit.record(Evidence) == evidence(seed)


def test_one_array_has_one_spelling(tmp_path: Path) -> None:
    """C or Fortran order, strides, byte order: the same values give the same bytes, and numpy reads them."""
    values = np.arange(12, dtype="<f4").reshape(3, 4)
    wide = np.zeros((3, 8), "<f4")
    wide[:, ::2] = values
    spellings = [values, np.asfortranarray(values), values.astype(">f4"), wide[:, ::2]]
    entries = {disk.write_array(tmp_path / f"{i}.npy", each) for i, each in enumerate(spellings)}
    assert len(entries) == 1
    raw = (tmp_path / "0.npy").read_bytes()
    assert raw[:8] == b"\x93NUMPY\x01\x00"
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, values, version=(1, 0))
    assert raw == buffer.getvalue()


def test_the_same_content_twice_is_one_unit_whatever_it_cost(store: Store) -> None:
    (made,) = some_cells(1)
    put(store, made)
    before = contents(store.root)
    with store.draft(made) as draft:
        unit = store.commit(draft, made, draw(store, made, draft), replace(COST, seconds=99.0))
    assert contents(store.root) == before
    assert unit.cost() == COST


def test_another_content_is_an_alarm_and_both_are_kept(store: Store) -> None:
    (made,) = some_cells(1)
    first = put(store, made).read("notes.txt")
    for number in (1, 2):
        with store.draft(made) as draft:
            draft.write("notes.txt", f"other {number}".encode())
            with pytest.raises(Nondeterminism, match=rf"conflict-{number}") as caught:
                store.commit(draft, made, evidence(0), COST)
        assert caught.value.exit_code == 4
    assert store.get(made.key).read("notes.txt") == first
    folder = store.get(made.key).path
    assert folder.with_name(f"{made.key}.conflict-2").joinpath("notes.txt").read_bytes() == b"other 2"
    assert [unit.key for unit in store.units()] == [made.key]
    assert len(store.verify()) == 2


def test_a_folder_without_manifest_is_no_unit_and_is_replaced(store: Store) -> None:
    (made,) = some_cells(1)
    unit = put(store, made)
    before = contents(store.root)
    (unit.path / "unit.json").unlink()
    assert not store.has(made.key)
    assert store.keys() == []
    put(store, made)
    assert contents(store.root) == before


def every_file(store: Store) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def test_a_flipped_byte_anywhere_is_named(store: Store) -> None:
    for each in some_cells(3):
        put(store, each)
    store.write_plan({"command": ["run"], "keys": {"evidence": store.keys()}})
    store.fail(FAILURE)
    generator = np.random.default_rng(0)
    files = every_file(store)
    assert len(files) == 3 * 5 + 2
    for _ in range(200):
        path = files[generator.integers(len(files))]
        good = path.read_bytes()
        bad = bytearray(good)
        bad[generator.integers(len(bad))] ^= 1 << generator.integers(8)
        path.write_bytes(bad)
        problems = store.verify()
        assert len(problems) == 1
        assert str(path) in problems[0]
        path.write_bytes(good)
    assert store.verify() == []


@pytest.mark.parametrize("name", ["maps.npy", "pictures.npy", "notes.txt", "unit.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone", "longer"])
def test_damage_is_found_on_the_first_read(store: Store, name: str, harm: str) -> None:
    (made,) = some_cells(1)
    put(store, made)
    path = store.get(made.key).path / name
    good = path.read_bytes()
    flipped = bytes([good[0] ^ 1, *good[1:]])
    bad = {"flip": flipped, "cut": good[:-1], "empty": b"", "gone": None, "longer": good + b"x"}[harm]
    path.unlink() if bad is None else path.write_bytes(bad)

    fresh = Store(store.root)
    if (name, harm) == ("unit.json", "gone"):
        assert not fresh.has(made.key)
        return
    with pytest.raises(CorruptUnit) as caught:
        fresh.get(made.key).read(name)
    assert str(path) in caught.value.cause
    assert f"gifthorse status --verify {store.root}" in caught.value.remedy
    assert f"rm -r {path.parent}" in caught.value.remedy
    assert caught.value.exit_code == 3
    assert any(str(path) in problem for problem in fresh.verify())


def test_a_file_is_hashed_once_for_a_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = some_cells(1)
    put(store, made)
    seen: list[Path] = []
    honest = disk.measure

    def counted(path: Path) -> disk.FileEntry:
        seen.append(path)
        return honest(path)

    monkeypatch.setattr(disk, "measure", counted)
    for _ in range(3):
        store.get(made.key).array("maps")
    assert len(seen) == 1


def test_a_lost_cost_costs_nothing(store: Store) -> None:
    unit = put(store, some_cells(1)[0])
    (unit.path / "cost.json").unlink()
    assert unit.cost() is None
    assert store.verify() == []


def test_what_does_not_belong_is_named(store: Store) -> None:
    (made,) = some_cells(1)
    unit = put(store, made)
    (unit.path / "extra.txt").write_text("?")
    moved = "f" * 64
    (store.root / "units" / "ff").mkdir()
    (store.root / "units" / "ff" / "stray").mkdir()
    os.rename(unit.path, store.root / "units" / "ff" / moved)  # noqa: PTH104
    problems = store.verify()
    assert len(problems) == 2
    assert "unit.json is damaged" in problems[0]
    assert "stray is no unit" in problems[1]


FAILURE = Failure(
    key="a" * 64, kind="evidence", label="x", error="ValueError: no", traceback="...", attempts=1, retryable=False
)


def test_failures_lie_beside_the_units(store: Store) -> None:
    store.fail(FAILURE)
    store.fail(replace(FAILURE, key="b" * 64))
    store.fail(replace(FAILURE, attempts=2))
    assert store.failures() == [replace(FAILURE, attempts=2), replace(FAILURE, key="b" * 64)]
    assert store.failure("c" * 64) is None
    assert not store.has(FAILURE.key)
    store.forgive(FAILURE.key)
    store.forgive(FAILURE.key)
    assert [failure.key for failure in store.failures()] == ["b" * 64]


def test_the_plan_comes_back_and_damage_to_it_is_named(store: Store) -> None:
    plan = {"command": ["run", "é"], "versions": {"torch": "2"}, "keys": {"evidence": ["a"]}, "share": 0.1}
    store.write_plan({"command": []})
    store.write_plan(plan)
    assert store.read_plan() == plan
    path = store.root / "plan.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorruptUnit, match=r"plan\.json is damaged") as caught:
        store.read_plan()
    assert "run the same command again" in caught.value.remedy


def test_a_claim_has_one_holder(store: Store) -> None:
    other = Store(store.root)
    with store.claim("k") as mine:
        assert mine
        with other.claim("k") as theirs, other.claim("other") as free:
            assert not theirs
            assert free
        with other.claim("k") as again:
            assert not again
    with other.claim("k") as now:
        assert now
    assert list((store.root / "claims").iterdir()) == []


def test_a_store_travels_to_another_process_by_its_folder(store: Store) -> None:
    (made,) = some_cells(1)
    put(store, made)
    assert pickle.loads(pickle.dumps(store)).get(made.key) == store.get(made.key)


def test_sweeping_spares_the_living(store: Store) -> None:
    store.prepare()
    tmp = store.root / ".tmp"
    (tmp / "dead").mkdir()
    (tmp / "dead" / "half.bin").write_bytes(b"1")
    (tmp / "dead.lock").touch()
    (tmp / "older").mkdir()
    (store.root / "claims" / "dead").touch()
    with store.draft(some_cells(1)[0]) as draft, store.claim("living"):
        draft.write("half.bin", b"1")
        Store(store.root).sweep()
        assert (draft.path / "half.bin").exists()
        assert {path.name for path in tmp.iterdir()} == {draft.path.name, f"{draft.path.name}.lock"}
        assert [path.name for path in (store.root / "claims").iterdir()] == ["living"]


@contextmanager
def failing(patch: pytest.MonkeyPatch, at: int, code: int) -> Iterator[list[str]]:
    """Lets the ``at``-th call of anything that touches the disk fail with an errno; yields the calls made."""
    calls: list[str] = []

    def brittle(name: str, honest: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if str(arguments[0]).endswith(".log"):  # the test's own
                return honest(*arguments, **options)
            calls.append(name)
            if len(calls) - 1 == at:
                # As the kernel does: calls on a descriptor know no name.
                names = () if name in ("fsync", "write") else (str(arguments[0]),)
                raise OSError(code, os.strerror(code), *names)
            return honest(*arguments, **options)

        return call

    with patch.context() as inner:
        for name in ("fsync", "rename", "open", "mkdir"):
            inner.setattr(os, name, brittle(name, getattr(os, name)))
        inner.setattr(disk.HashingFile, "write", brittle("write", disk.HashingFile.write))
        yield calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_the_disk_may_end_at_any_step_of_the_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (made,) = some_cells(1)
    whole = Store(tmp_path / "whole")
    whole.root.mkdir()
    with failing(monkeypatch, -1, code) as calls:
        put(whole, made)
    assert len(calls) > 20
    assert {"fsync", "rename", "open", "mkdir", "write"} == set(calls)
    for at in range(len(calls)):
        store = Store(tmp_path / f"{code}-{at}")
        store.root.mkdir()
        expected = InputError if code == errno.EACCES else LimitReached
        with failing(monkeypatch, at, code), pytest.raises(GifthorseError) as caught:
            put(store, made)
        assert isinstance(caught.value, expected), (at, calls[at], caught.value)
        assert str(store.root) in caught.value.cause
        assert store.verify() == []
        store.prepare()
        put(store, made)
        assert contents(store.root) == contents(whole.root)
        assert store.verify() == []
        assert list((store.root / ".tmp").iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a folder")
    for root in (tmp_path / "run", tmp_path / "run" / "deeper"):
        store = Store(root)
        assert not store.has("0" * 64)
        with pytest.raises(InputError, match="cannot be written") as caught:
            store.prepare()
        assert str(tmp_path / "run") in caught.value.cause
        assert caught.value.exit_code == 3


def test_images_name_their_file(store: Store) -> None:
    (made,) = some_cells(1)
    with store.draft(made) as draft:
        first = draft.images("x", np.zeros((2, 3, 4, 5), np.uint8))
        assert first == Images(sha256=draft.files["x.npy"].sha256, file="x.npy", count=2, channels=3, height=4, width=5)


def rewritten(unit: Unit, **changes: Any) -> None:
    """The manifest with other values, sealed as if gifthorse had written it."""
    path = unit.path / "unit.json"
    values = disk.unseal(path.read_bytes())
    assert values is not None
    path.write_bytes(disk.seal(values | changes))


def test_another_schema_is_said_and_not_stumbled_over(store: Store) -> None:
    (made,) = some_cells(1)
    rewritten(put(store, made), schema=SCHEMA + 1)
    with pytest.raises(InputError, match=f"written with schema {SCHEMA + 1}; this gifthorse reads {SCHEMA}") as caught:
        store.get(made.key)
    assert not isinstance(caught.value, CorruptUnit)
    assert "fresh run folder" in caught.value.remedy
    assert len(store.verify()) == 1


@pytest.mark.parametrize("record", [{}, {"tool": {"name": "pencil"}}, {"tool": 3}, {"kind": []}])
def test_a_record_that_lacks_fields_is_a_damaged_unit(store: Store, record: dict[str, Any]) -> None:
    (made,) = some_cells(1)
    unit = put(store, made)
    rewritten(unit, record=record)
    with pytest.raises(CorruptUnit, match=r"unit\.json holds no Evidence: .* lacks") as caught:
        store.get(made.key).record(Evidence)
    assert f"rm -r {unit.path}" in caught.value.remedy


def test_a_cost_that_lacks_fields_is_no_cost_and_a_failure_that_does_is_damaged(store: Store) -> None:
    (made,) = some_cells(1)
    unit = put(store, made)
    (unit.path / "cost.json").write_bytes(disk.seal({"host": "here"}))
    assert store.get(made.key).cost() is None
    path = store.root / "failures" / f"{made.key}.json"
    path.parent.mkdir()
    path.write_bytes(disk.seal({"key": made.key}))
    with pytest.raises(CorruptUnit, match="is damaged"):
        store.failure(made.key)


@pytest.mark.parametrize("what", ["write_plan({'a': 1})", "fail(failure)"])
def test_a_process_killed_while_it_replaces_a_file_leaves_nothing_that_a_sweep_does_not_find(
    store: Store, what: str
) -> None:
    store.prepare()
    before = sorted(store.root.rglob("*"))
    code = (
        "import os\nfrom gifthorse import disk\nfrom gifthorse.store import Store\n"
        "from gifthorse.records import Failure\n"
        f"failure = Failure(key={'a' * 64!r}, kind='k', label='l', error='e',"
        " traceback='', attempts=1, retryable=True)\n"
        "write = disk.write\n"
        "def kill(path, data):\n    write(path, data)\n    os._exit(9)\n"
        "disk.write = kill\n"
        f"Store({str(store.root)!r}).{what}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 9
    assert sorted(store.root.rglob("*")) != before
    store.sweep()
    assert sorted(store.root.rglob("*")) == before
