"""Pictures of a class of one's own network: one command, refusals that stop nothing, trials on images unseen."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from fixtures_nets import classifier, one_thread, pictures
from PIL import Image

from gifthorse.classifier import Classifier
from gifthorse.cli.app import code_of
from gifthorse.cli.synthesise import methods
from gifthorse.cli.talk import Talk
from gifthorse.errors import UsageError
from gifthorse.tools import TOOLS, tool
from gifthorse.tools.synthesis import base, engine, tabor
from gifthorse.tools.synthesis.base import brief
from gifthorse.zoo import DATA

__all__ = ["one_thread"]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "look-into-a-class.md"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page's commands name."""
    root = tmp_path_factory.mktemp("own")
    (root / "clean").mkdir()
    for index, scene in enumerate(DATA.make("emoji").draw("test", 16, 1).images.transpose(0, 2, 3, 1)):
        Image.fromarray(scene).save(root / "clean" / f"{index:02}.png")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), root / "mine.pth")
    (root / "names.txt").write_text("ant\nbee\ncat\n")
    return root


def code(*arguments: str) -> int:
    return code_of(["synthesise", *arguments], Talk())


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [block.replace("\\\n", " ").strip() for block in blocks]


@pytest.fixture
def at(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in there.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_s_first_command_draws_and_tries_out(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, verb, *arguments = shlex.split(commands()[0])
    assert (name, verb) == ("gifthorse", "synthesise")
    assert code(*arguments) == 0
    seen = capsys.readouterr()
    assert seen.out.splitlines() == ["pictures.html"]
    assert seen.err.splitlines()[0].strip() == "tabor, 10 findings"
    html = (at / "pictures.html").read_text()
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!data:|#)', html), "nothing from outside"
    for told in ("of 4 images bee", "alone: ", "How the best one came about", "Put in as a patch of 18 pixels"):
        assert told in html, told


def test_the_page_s_second_command_names_what_refused(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*shlex.split(commands()[1])[2:]) == 0
    seen = capsys.readouterr()
    told = json.loads(seen.out)
    done, drawn, refused = told["methods"]
    assert [m["status"] for m in told["methods"]] == ["done", "done", "refused"]
    assert refused["error"] == "it needs clean images; try: --images FOLDER"
    assert "noise gave no picture" in seen.err
    assert done["forward"] > 0 < drawn["forward"]
    assert len(done["losses"]) == 4
    assert len(done["kept"]) == len(done["trials"]) == 2
    assert done["kept"] == sorted(range(4), key=lambda i: done["losses"][i])[:2]
    kept = np.load(at / "pictures.npz")
    assert kept["fourier_target"].shape == (4, 4, 64, 64)
    assert kept[drawn["name"]].shape == (4, 4, 16, 16)
    assert kept["fourier_target losses"].tolist() == done["losses"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--target", "bee"], "no network was named"),
        (["--net", "emoji-resnet"], "no class was named"),
        (["--net", "emoji-resnet", "--target", "beee"], "has no class 'beee'"),
        (["--net", "emoji-resnet", "--target", "bee", "--images", "nowhere"], "nowhere is no folder"),
        (["--net", "emoji-resnet", "--target", "bee", "--method", "lime"], "explains images, and draws nothing"),
        (["--net", "emoji-resnet", "--target", "bee", "--method", "tabr"], "did you mean 'tabor'"),
        (["--net", "emoji-resnet", "--target", "bee", "--n", "0"], "--n is 0"),
        (["--net", "emoji-resnet", "--target", "bee", "--seconds", "-1"], "--seconds is -1"),
        (["--net", "emoji-resnet", "--target", "bee", "--method", "truth"], "true trigger of a suite"),
        (["--net", "emoji-resnet", "--target", "bee", "--method", "cppn_target@steps=0"], "steps is 0"),
        (
            ["--net", "emoji-resnet", "--target", "bee", "--method", "cppn_target", "--budget", "5"],
            "budget of 5 passes",
        ),
    ],
)
def test_misuse_is_told_what_to_do(
    at: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*arguments) in (2, 3)
    assert told in capsys.readouterr().err


def test_few_images_are_too_few(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at / "few").mkdir()
    for path in sorted((at / "clean").iterdir())[:3]:
        (at / "few" / path.name).symlink_to(path)
    assert code("--net", "emoji-resnet", "--target", "bee", "--images", "few") == 3
    assert "few holds 3 images" in capsys.readouterr().err


def test_images_that_are_the_class_anyway_do_not_count(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = DATA.make("emoji")
    label = world.classes.index("bee")
    for index, scene in enumerate(world.draw("test", 9, 2, classes=(label,)).images.transpose(0, 2, 3, 1)):
        (at / "mixed").mkdir(exist_ok=True)
        Image.fromarray(scene).save(at / "mixed" / f"a{index}.png")
    for path in (at / "clean").iterdir():
        (at / "mixed" / path.name).symlink_to(path)
    asked = ["--net", "emoji-resnet", "--target", "bee", "--images", "mixed", "--method", "noise", "--json"]
    assert code(*asked, "--precision", "float32") == 0
    told = json.loads(capsys.readouterr().out)
    left = int(re.findall(r"; (\d+) left out", told["facts"]["clean images"])[0])
    assert 7 <= left <= 12
    assert "float32 on cpu" in told["facts"]["network"]
    assert all(one["n"] == (25 - left) // 4 and one["rate"] == 0 for one in told["methods"][0]["trials"])


def test_all_is_what_looks_at_the_network() -> None:
    every = set(methods("all"))
    assert every == {name for name, row in TOOLS.items() if row.kind == "synthesis"} - {"noise", "truth"}


class Clock:
    """Stands still but for a millisecond an image that goes through a network, or more from one pass on."""

    def __init__(
        self, net: Classifier, monkeypatch: pytest.MonkeyPatch, slower: int = 10**9, each: float = 1e-3
    ) -> None:
        self.now, self.calls, through = 100.0, 0, net.through

        def timed(module: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            self.now += len(images) * (each if self.calls < slower else 10 * each)
            return through(module, images)

        monkeypatch.setattr(net, "through", timed)
        for module in (base, engine, tabor):
            monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: self.now))


@pytest.mark.parametrize("name", ["fourier_target", "tabor", "adversarial_patch", "cppn_inner", "maco_target"])
def test_seconds_are_kept_and_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = classifier("reused"), brief(1, pictures(12))
    clock = Clock(net, monkeypatch)
    with net.counting() as counter:
        found = tool(name)(net, *given, n=3, keep=2, seconds=1.5)
    assert 0.8 < clock.now - 100.0 <= 1.5
    assert (found.cost.forward, found.cost.backward) == (counter.forward, counter.backward), "trials are counted too"


@pytest.mark.parametrize("name", ["fourier_target", "tabor"])
def test_a_method_that_slows_down_stops_before_its_deadline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = classifier("plain"), brief(1, pictures(12))
    clock = Clock(net, monkeypatch, slower=120)
    found = tool(name)(net, *given, n=2, keep=1, seconds=2.0)
    assert clock.now - 100.0 <= 2.0
    assert re.match(r"stopped after \d+ of \d+ steps, for time", found.hints[0])
    assert found.film is not None


@pytest.mark.parametrize("name", ["fourier_target", "tabor"])
def test_a_trial_that_takes_too_long_ends_in_time_too_and_says_how_much_is_needed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, given = classifier("plain"), brief(1, pictures(12))
    clock = Clock(net, monkeypatch, each=0.1)
    with pytest.raises(UsageError, match="5 seconds do not pay") as told:
        tool(name)(net, *given, n=3, keep=1, seconds=5.0)
    assert clock.now - 100.0 <= 5.0 + 3 * 12 * 0.1, "and a screening"
    enough = float(re.findall(r"([\d.]+) seconds or more", str(told.value))[0])
    clock.now = 100.0
    tool(name)(net, *given, n=3, keep=1, seconds=1.2 * enough)
    assert clock.now - 100.0 <= 1.2 * enough


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), 1e-6])
def test_seconds_that_pay_for_nothing_are_an_error(seconds: float) -> None:
    with pytest.raises(UsageError, match="seconds"):
        tool("fourier_target")(classifier("plain"), *brief(1, pictures(12)), n=2, keep=1, seconds=seconds)


FAISS = importlib.util.find_spec("faiss") is not None


def test_natural_patches_of_a_folder_embedded_once(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at / "things").mkdir()
    for index, picture in enumerate(np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)):
        Image.fromarray(picture).resize((40, 40)).save(at / "things" / f"{index:02}.png")
    asked = ["--net", "emoji-resnet", "--target", "bee", "--images", "clean", "--json", "--n", "3", "--budget", "900"]
    asked += ["--method", "snafue@attack=adversarial_patch@screen=2@synthetic=2"]
    assert code(*asked) == 3
    (method,) = json.loads(capsys.readouterr().out)["methods"]
    assert method["error"] == "no pool of natural patches was given; try: --pool FOLDER"
    for _ in range(2):
        assert code(*asked, "--pool", "things") == 0
        (method,) = json.loads(capsys.readouterr().out)["methods"]
        assert method["error"] is None
        assert len(method["losses"]) == 3
    (kept,) = (at / "things.embeddings").iterdir()
    assert {path.name for path in kept.iterdir()} == {"manifest.json", "000000.npy", "000000.ids.npy"}
    assert code(*asked, "--pool", "things", "--pool-index") == 3
    (method,) = json.loads(capsys.readouterr().out)["methods"]
    assert ("an index of 60 vectors gains nothing" if FAISS else "FAISS is not installed") in method["error"]
    assert code(*asked, "--pool-index") == 2
    assert "--pool-index is given without a pool" in capsys.readouterr().err
    assert code(*asked, "--pool", "names.txt") == 3
    (method,) = json.loads(capsys.readouterr().out)["methods"]
    assert "is no pool of pictures" in method["error"]
