"""Locks that free themselves, and the moment between opening a lock's file and holding it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from gifthorse.claims import hold


def test_one_holder_at_a_time_and_no_file_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as mine:
        assert mine
        with hold(path) as other:
            assert not other
        assert path.exists()
    assert not path.exists()


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our open and our flock the holder removes its file, and somebody else makes a new one."""
    path = tmp_path / "lock"
    honest = fcntl.flock
    calls: list[int] = []

    def late(handle: int, how: int) -> None:
        calls.append(handle)
        if len(calls) <= 2:
            path.unlink()
            if len(calls) == 2:
                path.touch()
        honest(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with hold(path) as mine:
        monkeypatch.undo()
        assert mine
        assert len(calls) == 3
        with hold(path) as other:
            assert not other


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Data loaders fork: the child has our descriptor, and may live on after we let go."""
    path = tmp_path / "lock"
    ours, theirs = os.pipe()
    with hold(path):
        child = os.fork()
        if child == 0:
            os.read(ours, 1)
            os._exit(0)
    try:
        with hold(path) as again:
            assert again
    finally:
        os.write(theirs, b"x")
        os.waitpid(child, 0)
        os.close(ours)
        os.close(theirs)


def test_where_it_must_exist_it_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold(tmp_path / "lock", create=False):
        pass
    assert not (tmp_path / "lock").exists()
