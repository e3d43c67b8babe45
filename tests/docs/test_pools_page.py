"""docs/pools.md says what the benchmarks' results say, and its code is there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gifthorse.cli.options import RunOptions
from gifthorse.cli.synthesise import SynthesiseOptions

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "results" / "pools.json").exists(), reason="benchmarks/pools.py was not run yet"
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_pools", ROOT / "scripts" / "write_pools.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_script_writes(script: ModuleType) -> None:
    assert (ROOT / "docs" / "pools.md").read_text() == script.page(), "scripts/write-pools"


def test_the_chart_is_what_its_script_draws(script: ModuleType) -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "pools.json").read_text())
    text = (ROOT / "docs" / "pools.svg").read_text()
    assert text == script.chart(results["decades"]), "scripts/write-pools"
    assert text.count("<circle") == 3 * len(results["decades"]) >= 15
    sizes = [one["pictures"] for one in results["decades"]]
    assert sizes[-1] >= 10_000 * sizes[0], "four decades"


def test_every_number_comes_from_the_results(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other results, every figure of the page is another one."""
    results = {n: json.loads((ROOT / "benchmarks" / "results" / f"{n}.json").read_text()) for n in ("pools", "search")}

    def larger(value: object) -> object:
        if isinstance(value, dict):
            return {key: larger(each) for key, each in value.items()}
        if isinstance(value, list):
            return [larger(each) for each in value]
        return value * 3 if isinstance(value, float) else value

    before = script.page()
    monkeypatch.setattr(script.json, "loads", lambda text: larger(json.JSONDecoder().decode(text)))
    pattern = re.compile(r"^\|.*\d.*(?:%| s| ms|minutes|hours|days|MiB|\)) \|$", re.MULTILINE)
    one, other = (pattern.findall(text) for text in (before, script.page()))
    assert len(one) == len(other) > 10
    assert not set(one) & set(other) - {row for row in one if "vectors on disk" in row}
    assert results["search"]["figures"], "and they are there"


def test_its_code_names_what_there_is() -> None:
    page = (ROOT / "docs" / "pools.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert hasattr(importlib.import_module(node.module or ""), alias.name)
    options = {
        name.replace("_", "-") for name in (*RunOptions.__dataclass_fields__, *SynthesiseOptions.__dataclass_fields__)
    }
    options |= {"net", "method"}
    for flag in re.findall(r" --([\w-]+)", page):
        assert flag in options, flag
