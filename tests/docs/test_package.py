"""What is installed: declared, of one version, and with every file that the code reads."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import gifthorse

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gifthorse"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def plain(name: str) -> str:
    """A distribution's name as the index spells it, without its version."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~\[;]", name, maxsplit=1)[0]).lower()


EXTRAS = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
DECLARED = {plain(one) for one in [*PROJECT["dependencies"], *EXTRAS]}


def imported() -> set[str]:
    """The top-level modules of other packages that the source imports."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"gifthorse"}


def test_every_package_that_is_imported_is_declared() -> None:
    provided = metadata.packages_distributions()
    # one of an extra that is not installed here is taken to be named as it is imported
    missing = {name for name in imported() if not {*map(plain, provided.get(name, (name,)))} & DECLARED}
    assert not missing


def test_the_version_is_that_of_the_project() -> None:
    assert gifthorse.__version__ == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_wheel_has_every_file_that_the_code_reads(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check", "--wheel-dir"]
    made = subprocess.run(
        [*command, str(tmp_path), str(ROOT)], capture_output=True, text=True, check=False, env=env, timeout=600
    )
    if made.returncode and re.search(r"No matching distribution found for hatchling|[Cc]onnection", made.stderr):
        pytest.skip("building a wheel needs hatchling, which pip cannot fetch here")
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("gifthorse-*.whl")
    assert PROJECT["version"] in wheel.name
    inside = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "src/gifthorse"], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {line.removeprefix("src/") for line in listed.stdout.splitlines()}
    assert wanted <= inside, sorted(wanted - inside)
    for ending in (".j2", ".safetensors", ".tsv", "py.typed", "NOTICE", "LICENSE"):
        assert any(name.endswith(ending) for name in inside), ending
