"""Experiments that try patches out elsewhere: on a network that was held out, and on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_attacks import small
from fixtures_nets import one_thread
from PIL import Image

from gifthorse.classifier import Classifier
from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.errors import InputError
from gifthorse.jobs import attacking, capabilities
from gifthorse.records import Crossed, Images
from gifthorse.report import capable, crossed, tried_patches
from gifthorse.zoo import ENCODERS, NETWORKS
from gifthorse.zoo.ensemble import ensemble

__all__ = ["one_thread", "small"]


def code(*arguments: str) -> int:
    return code_of(["experiment", *arguments, "--workers", "1"], Talk())


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    networks: list[Classifier] = [
        NETWORKS.make(name).load(device="cpu", precision="float32") for name in ("emoji-resnet", "emoji-vgg")
    ]
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mean = (networks[0].predict(images) + networks[1].predict(images)) / 2
    torch.testing.assert_close(ensemble(networks).predict(images), mean, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="different classes or sizes"):
        ensemble([])


def test_patches_are_printed_held_beside_objects_and_photographed(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("physical", "--n", "3", "--json") == 0
    told = json.loads(capsys.readouterr().out)["shown"]
    assert list(told) == ["digital", "on paper, simulated"]
    assert {row["n"] for row in told.values()} == {27}
    assert told["digital"]["of_digital"] == 1.0
    root = small / "runs" / "experiment-physical"
    assert (root / "sheet.pdf").read_bytes().startswith(b"%PDF")
    html = (root / "report.html").read_text()
    for words in ("the best 3 of 3", "0.312", "The photographs in which it does most"):
        assert words in html
    (small / "mine").mkdir()
    for name in ("1-lamp.jpg", "3.png"):
        Image.fromarray(np.full((80, 100, 3), 128, np.uint8)).save(small / "mine" / name)
    assert code("physical", "--n", "3", "--photos", "mine", "--json") == 0
    told = json.loads(capsys.readouterr().out)["shown"]
    assert told["photographs"]["n"] == 2
    Image.fromarray(np.full((80, 100, 3), 128, np.uint8)).save(small / "mine" / "9-lamp.jpg")
    assert code("physical", "--n", "3", "--photos", "mine") == 3
    assert "9-lamp.jpg does not say which patch it shows" in capsys.readouterr().err


def test_what_fails_is_named_and_made_again_the_next_time(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ValueError("the scenes are gone")

    with monkeypatch.context() as patch:
        patch.setattr(attacking, "scenes", broken)
        assert code("physical", "--n", "2") == 4
    told = capsys.readouterr().err
    assert "1 of the blocks of attacks failed; the first, All, attacks 1 to 2: " in told
    assert "the scenes are gone" in told
    assert "run again once the cause is mended" in told


def test_figures_of_paper_by_hand() -> None:
    told = tried_patches.physical_figures({"digital": [0.5, 0.7], "paper": [0.2, 0.4]})["shown"]
    assert told["paper"]["mean"] == pytest.approx(0.3)
    assert told["paper"]["deviation"] == pytest.approx(0.1414, abs=1e-3)
    assert told["paper"]["of_digital"] == pytest.approx(0.5)


def test_patches_that_transfer_are_made_on_others_alone(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("transfer", "--n", "3", "--ensemble", "emoji-vgg,emoji-mobile", "--json") == 0
    told = json.loads(capsys.readouterr().out)["arms"]
    where = ("others", "the network itself")
    assert list(told) == [f"{kind} made on {on}" for on in where for kind in ("patches", "generalized patches")]
    assert {row["patches"] for row in told.values()} == {3}
    html = (small / "runs" / "experiment-transfer" / "report.html").read_text()
    assert "emoji-vgg, emoji-mobile, the mean of their probabilities" in html


def test_patches_of_each_source_are_tried_on_all(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("sources", "--n", "2", "--sources", "bee,owl,taxi", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["confidence"]) == set(told["confidence"]["bee"]) == {"bee", "owl", "taxi"}
    assert told["gain"][1] <= told["gain"][0] <= told["gain"][2]
    html = (small / "runs" / "experiment-sources" / "report.html").read_text()
    assert "Made on owl" in html
    assert "mean over 6 patches" in html


def test_the_gain_on_ones_own_source_by_hand() -> None:
    rows = [
        Crossed(source=name, tried=("a", "b"), confidences=values, pictures=NONE)
        for name, values in (("a", ((0.9, 0.5), (0.1, 0.3))), ("b", ((0.2, 0.2), (0.6, 0.4))))
    ]
    assert crossed.gain(rows).value == pytest.approx((0.8 + 0.2 + 0.4 + 0.2) / 4)


NONE = Images(sha256="", file="", count=0, channels=4, height=1, width=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("transfer", "--ensemble", "emoji-vgg"), "two networks or more"),
        (("transfer", "--ensemble", "emoji-vgg,emoji-resnet"), "two networks or more"),
        (("transfer", "--ensemble", "emoji-vgg,emoji-resnt"), "did you mean 'emoji-resnet'"),
        (("transfer", "--arms", "All"), "--arms is not of the experiment transfer"),
        (("sources", "--sources", "bee"), "two or more, without the target"),
        (("sources", "--target", "flyy"), "did you mean 'fly'"),
        (("physical", "--n", "0"), "--n is 0"),
    ],
)
def test_misuse_is_named(
    small: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert code(*arguments) == 2
    assert told in capsys.readouterr().err


def test_a_table_of_what_each_tool_can_do(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tools = ["rfla_region", "adversarial_patch", "fourier_inner", "noise"]
    assert code("capabilities", "--n", "3", "--arms", ",".join(tools), "--json") == 0
    told = json.loads(capsys.readouterr().out)["tools"]
    assert list(told) == tools
    for row in told.values():
        assert list(row) == ["targeted", "universal", "disguised", "physical", "transferable", "copy/paste"]
        assert all(low <= value <= high for value, low, high in row.values())
        assert all(0 <= value <= 1 for name, (value, _, _) in row.items() if name != "copy/paste")
    html = (small / "runs" / "experiment-capabilities" / "report.html").read_text()
    for words in ("copy/paste", "a picture for", "looks like"):
        assert words in html
    assert code("capabilities", "--arms", "rfla") == 2
    assert "there is no synthesis tool 'rfla'" in capsys.readouterr().err
    assert code("capabilities", "--net", "emoji-vgg") == 2


def test_natural_patches_are_in_that_table_too(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacking, "STEPS", 64)
    monkeypatch.setattr(attacking, "IMAGES", 8)
    assert code("capabilities", "--n", "1", "--arms", "snafue", "--json") == 0, capsys.readouterr().err
    assert list(json.loads(capsys.readouterr().out)["tools"]) == ["snafue"]


def test_a_row_of_that_table_by_hand() -> None:
    def proof(hits: int, **rest: Any) -> capable.Proof:
        told: dict[str, Any] = {
            "aimed": "bee", "hits": hits, "n": 10, "confidence": 0.5, "disguised": True, "alone": "fly",
            "physical": 0.2, "transferred": 0.1, "guess": "gift", "guessed": 0.3,
        }  # fmt: skip
        return capable.Proof(**told | rest)

    row = capable.cells([proof(5), proof(4), proof(9, disguised=False, guessed=-0.3)])
    assert row["targeted"].value == pytest.approx(2 / 3), "at least half of the scenes"
    assert row["universal"].value == pytest.approx(0.6)
    assert row["disguised"].value == pytest.approx(2 / 3)
    assert row["copy/paste"].value == pytest.approx(0.1)


def test_a_guess_is_the_nearest_drawing_that_does_not_show_the_target() -> None:
    guesses = capabilities.Guesses(ENCODERS.make("emoji-encoder").load())
    index = guesses.names.index("emoji/1f41d")
    bee = guesses._pictures[index]
    assert guesses.of(bee, "banjo")[0] == "emoji/1f41d"
    name, drawing = guesses.of(bee, "bee")
    assert name != "emoji/1f41d"
    assert drawing.shape == (4, 48, 48)
