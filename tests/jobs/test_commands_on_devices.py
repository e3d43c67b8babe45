"""Commands on another device than the CPU: on CUDA where there is one, and everywhere on one that is pretended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fixtures_attacks import small
from fixtures_generator import disguise, generator
from fixtures_nets import one_thread
from PIL import Image
from pretending import device

from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.jobs import synthesise
from gifthorse.zoo import DATA

__all__ = ["device", "one_thread", "small"]


def code(*arguments: str) -> int:
    return code_of([*arguments, "--precision", "float32"], Talk())


@pytest.fixture
def bees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scenes in the working folder, and a generator that is quick."""
    (tmp_path / "bees").mkdir()
    for index, scene in enumerate(DATA.make("emoji").draw("test", 16, 1).images.transpose(0, 2, 3, 1)):
        Image.fromarray(scene).save(tmp_path / "bees" / f"{index}.png")
    made = np.random.default_rng(0).integers(0, 256, (20, 20, 4), dtype=np.uint8)
    Image.fromarray(made).save(tmp_path / "lamp.png")

    def assets(_named: object, ground: object) -> dict[str, object]:
        name = getattr(ground, "device", "cpu")
        drawn = {"generator": generator(device=name), "scenes": generator(1, name)}
        return drawn | {"disguise": disguise(device=name)}

    monkeypatch.setattr(synthesise, "assets", assets)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_attribute(bees: Path, device: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in sorted((bees / "bees").iterdir())[:2]]
    asked = ["--net", "emoji-resnet", "--method", "saliency,lrp,occlusion,lime", "--json"]
    assert code("attribute", *files, *asked, "--device", device) == 0
    told = json.loads(capsys.readouterr().out)
    assert [method["status"] for method in told["methods"]] == ["done"] * 4


def test_synthesise(bees: Path, device: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--net", "emoji-resnet", "--target", "bee", "--images", "bees", "--n", "2", "--budget", "120", "--json"]
    asked += ["--method", "tabor,fourier_inner,cppn_target,rfla_perturb,rfla_generate"]
    assert code("synthesise", *asked, "--device", device) == 0
    told = json.loads(capsys.readouterr().out)
    assert [method["error"] for method in told["methods"]] == [None] * 5


def test_copy_paste(bees: Path, device: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--images", "bees", "--n", "2"]
    for guess in ([], ["--image", "lamp.png"]):
        assert code("copy-paste", *asked, "--budget", "120", "--json", *guess, "--device", device) == 0
        told = json.loads(capsys.readouterr().out)
        assert not any(method["error"] for method in told.get("methods", []))


@pytest.mark.parametrize(
    "arguments",
    [
        ("disguise", "--n", "1", "--arms", "All,No Gen"),
        ("physical", "--n", "2"),
        ("transfer", "--n", "2", "--ensemble", "emoji-vgg,emoji-mobile"),
        ("sources", "--n", "2", "--sources", "bee,owl"),
        ("capabilities", "--n", "2", "--arms", "rfla_region,tabor,noise"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_experiments(small: Path, device: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert code("experiment", *arguments, "--workers", "1", "--device", device) == 0, capsys.readouterr().err
