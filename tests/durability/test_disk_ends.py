"""A full disk and an unwritable folder: one clear error that names the file and says what to do (P6)."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from children import ENVIRONMENT, PATIENCE, SCRIPT, command, leftovers, run
from small_cells import contents

from gifthorse.store import Store

COUNT = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("whole") / "run"
    assert run(root, COUNT) == (0, "")
    return contents(root)


def one_clear_error(said: str) -> None:
    assert "Traceback" not in said
    cause, remedy = said.strip().splitlines()
    assert "/run" in cause
    assert remedy.startswith("  try: ")


@pytest.mark.parametrize("workers", [1, 2])
def test_files_that_may_not_grow_stop_the_run_cleanly(tmp_path: Path, whole: dict[str, bytes], workers: int) -> None:
    """RLIMIT_FSIZE needs no privilege: the kernel cuts writes short as a full disk does."""
    root = tmp_path / "run"
    done = subprocess.run(
        command(root, COUNT, workers),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400)),
    )
    assert done.returncode == 5, done.stderr
    one_clear_error(done.stderr)
    assert "File too large" in done.stderr
    assert "run the same command again" in done.stderr
    assert Store(root).verify() == []
    assert Store(root).failures() == []
    assert run(root, COUNT) == (0, "")
    assert contents(root) == whole
    assert leftovers(root) == []


TINY_DISK = """
set -e
mount -t tmpfs -o size=300k tmpfs "$1"
head -c 200k /dev/zero > "$1/ballast"
set +e
"$2" "$3" "$1/run" 12 1 0 2> "$4/first"; echo $? > "$4/first.code"
rm "$1/ballast"
"$2" "$3" "$1/run" 12 1 0 2> "$4/second"; echo $? > "$4/second.code"
cp -r "$1/run" "$4/run"
"""


READ_ONLY = """
set -e
mount -t tmpfs tmpfs "$1"
mount -o remount,ro "$1"
set +e
"$2" "$3" "$1/run" 12 1 0 2> "$4/first"; echo $? > "$4/first.code"
echo 0 > "$4/second.code"
"""


def in_own_mounts(tmp_path: Path, script: str) -> Path:
    """Runs a shell script that may mount; returns the folder of what it wrote.

    Skips the test where mounting is not allowed.
    """
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    out.mkdir()
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare on this machine, so no file system of our own")
    arguments = [unshare, "-rm", "sh", "-c", script, "sh", str(disk), sys.executable, str(SCRIPT), str(out)]
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if not (out / "second.code").exists():
        pytest.skip(f"this machine lets nobody mount a small file system: {done.stderr.strip()}")
    return out


def test_a_disk_that_is_really_full(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """A tmpfs of 300 KiB in a mount namespace of its own: run until it is full, make room, run again."""
    out = in_own_mounts(tmp_path, TINY_DISK)
    said = (out / "first").read_text()
    assert (out / "first.code").read_text().strip() == "5", said
    one_clear_error(said)
    assert "No space left on device" in said
    assert ((out / "second.code").read_text().strip(), (out / "second").read_text()) == ("0", "")
    assert contents(out / "run") == whole
    assert Store(out / "run").verify() == []


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    out = in_own_mounts(tmp_path, READ_ONLY)
    said = (out / "first").read_text()
    assert (out / "first.code").read_text().strip() == "3", said
    one_clear_error(said)
    assert "Read-only file system" in said


@pytest.mark.parametrize("place", ["under a file", "a file"])
def test_a_folder_that_cannot_be_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "run").write_text("a file")
    code, said = run(tmp_path / "run" if place == "a file" else tmp_path / "run" / "deeper", COUNT)
    assert code == 3
    one_clear_error(said)
    assert "cannot be written" in said
    assert (tmp_path / "run").read_text() == "a file"


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """As an ordinary user, since root may write anywhere."""
    root = Path(os.path.realpath(tmp_path)) / "run"
    root.mkdir(mode=0o755)
    root.chmod(0o555)
    user = 65534 if os.geteuid() == 0 else None
    try:
        done = subprocess.run(
            command(root, COUNT),
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
            user=user,
        )
    except PermissionError:
        pytest.skip("an ordinary user may not run this interpreter")
    if "No module named" in done.stderr or "Errno 13" in done.stderr:
        pytest.skip("an ordinary user may not read this checkout")
    assert done.returncode == 3, done.stderr
    one_clear_error(done.stderr)
    assert "Permission denied" in done.stderr
    root.chmod(0o755)
    assert run(root, COUNT) == (0, "")
    assert contents(root) == whole
