"""docs/generators.md says what the logs of the shipped weights say, and these what the design asks."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from gifthorse.zoo.knowledge import WEIGHTS

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_its_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("write_generators", ROOT / "scripts" / "write_generators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "generators.md").read_text() == module.page(), "scripts/write-generators"
    for name in ("generated-open.png", "generated-between.png", "generated-scenes.png"):
        assert (ROOT / "docs" / "world" / name).is_file()


@pytest.mark.parametrize("prior", ["closed", "open"])
@pytest.mark.parametrize("kind", ["objects", "scenes"])
def test_a_shipped_generator_draws_what_the_encoder_can_tell(kind: str, prior: str) -> None:
    told = json.loads((WEIGHTS / f"emoji-{kind}-{prior}.log.json").read_text())
    assert told["measured"]["drawn, by word"]["value"] >= 0.8
    assert told["measured"]["drawn, by picture"]["value"] >= 0.8
    assert told["drawings"] >= 300
    assert sum(told["parameters"].values()) <= 1_500_000
    assert (WEIGHTS / f"emoji-{kind}-{prior}.safetensors").stat().st_size < 3_500_000
    if kind == "scenes":
        assert told["recognised"]["low"] >= 0.8, "by emoji-resnet, of its own classes"


def test_shipped_weights_are_small_all_together() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 15_000_000
