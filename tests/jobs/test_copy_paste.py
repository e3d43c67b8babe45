"""Copy/paste attacks on one's own network: adversaries, a guess that is written down, and what it does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from fixtures_generator import disguise, generator
from fixtures_nets import one_thread
from PIL import Image
from torch import Tensor, nn

from gifthorse import effects
from gifthorse.classifier import Classifier
from gifthorse.cli.app import code_of
from gifthorse.cli.talk import Talk
from gifthorse.errors import InputError
from gifthorse.jobs import copy_paste, synthesise
from gifthorse.report import own_pasted
from gifthorse.statistics import bootstrap_mean

__all__ = ["one_thread"]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "copy-paste.md"

MADE = {"generator": generator(), "scenes": generator(1), "disguise": disguise()}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the page's commands name, and a generator that is quick."""
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), tmp_path / "mine.pth")
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n")
    (tmp_path / "bees").mkdir()
    rng = np.random.default_rng(0)
    for index in range(7):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "bees" / f"{index}.png")
    Image.fromarray(rng.integers(0, 256, (20, 20, 4), dtype=np.uint8)).save(tmp_path / "lamp.png")
    monkeypatch.setattr(synthesise, "assets", lambda named, ground: MADE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code(*arguments: str) -> int:
    return code_of(["copy-paste", *arguments], Talk())


def commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [shlex.split(block.replace("\\\n", " "))[2:] for block in blocks]


def test_the_page_s_first_command_shows_adversaries_of_both_kinds(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*commands()[0], "--n", "3", "--budget", "200", "--json") == 0
    seen = capsys.readouterr()
    told = json.loads(seen.out)
    names = [method["name"] for method in told["methods"]]
    assert names == [*copy_paste.ADVERSARIES, "fourier_target of bee, the source"]
    assert not any(method["error"] for method in told["methods"])
    html = (at / "adversaries.html").read_text()
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!data:|#)', html), "nothing from outside"
    assert "the network is right about" in html
    assert not list(at.glob("*.guess.json")), "nobody guessed"


def test_the_page_s_second_command_measures_a_guess(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*commands()[1]) == 0
    told = json.loads(capsys.readouterr().out)
    guess, *others = told["trials"]
    assert guess["called"] == "traffic light"
    assert len(others) == 10
    assert guess["n"] == 50
    best = max(others, key=lambda trial: trial["rise"][0])
    assert guess["rise"][0] > best["rise"][0], "flies are often beside traffic lights in this world"
    assert guess["rise"][1] <= guess["rise"][0] <= guess["rise"][2]
    html = (at / "copy-paste.html").read_text()
    for words in ("it is number 1", "the guess", "the picture emoji/1f6a6", "at a random place of each image"):
        assert words in html
    assert html.count("<figure>") == 6
    noted = json.loads((at / "copy-paste.guess.json").read_text())
    assert (noted["guess"], noted["source"], noted["target"]) == ("traffic light", "bee", "fly")


def test_the_page_s_third_command_takes_ones_own_network(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*commands()[2]) == 0
    assert capsys.readouterr().out.splitlines() == ["own.html"]
    html = (at / "own.html").read_text()
    assert "lamp.png pasted into bee: cat?" in html
    assert "7 images of bees" in html


def test_a_guess_is_written_down_before_it_is_measured(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise InputError("the network is gone", "nothing")

    monkeypatch.setattr(effects, "pasted", broken)
    assert code("--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--name", "gift", "--out", "x.html") == 3
    assert json.loads((at / "x.guess.json").read_text())["guess"] == "gift"
    assert not (at / "x.html").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--source", "bee", "--target", "fly"], 2, "no network was named"),
        (["--net", "emoji-resnet", "--source", "bee"], 2, "source and target are two classes"),
        (["--net", "emoji-resnet", "--source", "bee", "--target", "bee"], 2, "are both bee"),
        (["--net", "emoji-resnet", "--source", "beee", "--target", "fly"], 2, "has no class 'beee'"),
        (["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--name", "trafic light"], 2, "did you mean"),
        (
            ["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--name", "gift", "--image", "lamp.png"],
            2,
            "one guess at a time",
        ),
        (
            ["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--name", "gift", "--share", "2"],
            2,
            "--share",
        ),
        (["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--image", "names.txt"], 3, "names.txt"),
        (["--net", "emoji-resnet", "--source", "bee", "--target", "fly", "--images", "nowhere"], 3, "is no folder"),
        (
            ["--net", "resnet18", "--weights", "mine.pth", "--classes", "names.txt", "--source", "0", "--target", "2"],
            2,
            "no images of the source class",
        ),
    ],
)
def test_misuse_is_named(
    at: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, told: str
) -> None:
    assert code(*arguments) == status
    assert told in capsys.readouterr().err


class Red(nn.Module):
    """The second class is the share of red."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.fc.weight.data = torch.tensor([[0.0, 0.0, 0.0], [40.0, -40.0, -40.0]])
        self.fc.bias.data = torch.tensor([0.0, -1.0])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def test_what_is_pasted_counts_and_places_are_the_same_for_all_pictures() -> None:
    network = Classifier(Red(), classes=("plain", "red"), size=16, device="cpu", precision="float32")
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.2
    red, clear = torch.zeros(4, 9, 9), torch.zeros(4, 9, 9)
    red[0], red[3] = 1.0, 1.0
    made = effects.pasted(network, images, red, 6, torch.Generator().manual_seed(1))
    assert made.before.argmax(1).tolist() == [0] * 5
    assert made.after.argmax(1).tolist() == [1] * 5
    assert ((made.images - images).abs().amax(1) > 0).sum((1, 2)).tolist() == [36] * 5
    nothing = effects.pasted(network, images, clear, 6, torch.Generator().manual_seed(1))
    assert torch.equal(nothing.images, images)
    blue = torch.zeros(4, 9, 9)
    blue[2], blue[3] = 1.0, 1.0
    other = effects.pasted(network, images, blue, 6, torch.Generator().manual_seed(1))
    changed = [(each.images - images).abs().amax(1) > 0 for each in (made, other)]
    assert torch.equal(*changed)


def test_success_is_the_share_with_minus_the_share_without() -> None:
    none, rise = np.zeros((0, 3, 2, 2), np.uint8), bootstrap_mean([0.4, 0.6], 0)
    trial = own_pasted.Trial(
        called="x", came="y", picture=np.zeros((4, 2, 2), np.uint8), n=50, hits_before=5, hits_after=30,
        confidence_before=0.1, confidence_after=0.6, rise=rise, shown=none, shown_before=(), shown_after=(),
    )  # fmt: skip
    assert trial.success == 0.5
    assert trial.plain()["rate_after"] == 0.6
