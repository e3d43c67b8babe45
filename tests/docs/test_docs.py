"""Documentation is what the code is: its code runs or is in the repository, links resolve, made pages are fresh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from gifthorse.registry import Row
from gifthorse.suites import suite
from gifthorse.trojans import TROJANS, trojan_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"<!-- (file|in): (\S+) -->\n```python\n(.*?)```", re.DOTALL)


def test_the_how_to_is_what_was_done() -> None:
    found = BLOCK.findall((ROOT / "docs/how-to/add-a-tool.md").read_text())
    assert [kind for kind, _, _ in found] == ["file", "in", "in", "file"]
    for kind, path, code in found:
        text = (ROOT / path).read_text()
        if kind == "file":
            assert code == text, f"{path} is not as the page says"
        else:
            assert code.strip() in text, f"{path} does not hold the page's lines"


SUITE = re.compile(r"<!-- suite -->\n```toml\n(.*?)```", re.DOTALL)


def test_the_page_of_ones_own_suite_is_read_as_it_stands(tmp_path: Path) -> None:
    (text,) = SUITE.findall((ROOT / "docs/how-to/your-own-suite.md").read_text())
    Image.new("RGBA", (40, 30), (200, 30, 90, 255)).save(tmp_path / "logo.png")
    (tmp_path / "my.toml").write_text(text)
    (planting,) = suite(str(tmp_path / "my.toml")).plantings
    assert [(t.kind, t.caption) for t in planting.trojans] == [
        ("patch", "company logo"),
        ("style", "plaid"),
        ("natural_feature", "chair"),
    ]


def test_the_page_of_a_new_kind_of_trojan_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/how-to/add-a-trojan.md").read_text()
    (code,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", page, re.DOTALL)
    (text,) = SUITE.findall(page)
    module = ModuleType("your_package")
    monkeypatch.setitem(sys.modules, "your_package", module)
    exec(compile(code, "your_package.py", "exec", dont_inherit=True), module.__dict__)
    monkeypatch.setitem(TROJANS.rows, "blend", Row("your_package:Blend", "blend", 1, "Chen et al. 2017"))
    (tmp_path / "my.toml").write_text(text)
    (planting,) = suite(str(tmp_path / "my.toml")).plantings
    (spec,) = planting.trojans
    blend = trojan_of(spec)
    images, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, spec.target])
    made = blend.poison(images, labels, torch.Generator().manual_seed(0))  # type: ignore[attr-defined]
    assert made.labels.tolist() == [spec.target] * 4
    assert 0.01 < (made.images - images).abs().mean() < 0.2
    assert planting.gates.least(spec.kind) == 0.8


def test_the_readme_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10
    (tmp_path / "readme.py").write_text(code + "\ngifthorse.show(images, maps.values).save('a.png')\n")
    done = subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torch.Size([2, 224, 224]) 2")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_the_readme_is_one_screen() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 45


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    for script in re.findall(r"scripts/[\w-]+", page.read_text()):
        assert (ROOT / script).exists(), f"{page.name} names {script}"


def test_the_page_of_tools_is_fresh() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts/write-docs"), "--check"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
