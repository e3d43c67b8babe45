"""Maps for one's own images and network: one command, raw arrays, refusals that stop nothing, one page."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from fixtures_nets import one_thread
from PIL import Image
from reading import Reader
from safetensors.torch import save_file

import gifthorse
from gifthorse import checkpoints
from gifthorse.cli.app import code_of
from gifthorse.cli.attribute import methods
from gifthorse.cli.talk import Talk
from gifthorse.errors import HostileFile, InputError, UsageError
from gifthorse.images import from_uint8
from gifthorse.jobs.attribute import Order, attribute
from gifthorse.jobs.own import classifier
from gifthorse.report.pictures import own_scale
from gifthorse.tools import TOOLS
from gifthorse.zoo import DATA, NETWORKS, torchvision_networks
from gifthorse.zoo.framing import framed

__all__ = ["one_thread"]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "attribute-your-own.md"
NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page's commands name."""
    root = tmp_path_factory.mktemp("own")
    scenes = DATA.make("emoji").draw("test", 4, 1).images.transpose(0, 2, 3, 1)
    Image.fromarray(scenes[0]).save(root / "scene.png")
    (root / "clean").mkdir()
    for index in (1, 2, 3):
        Image.fromarray(scenes[index]).save(root / "clean" / f"{index}.png")
    (root / "clean" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    noise = np.random.default_rng(0).integers(0, 255, (2, 90, 140, 3), dtype=np.uint8)
    Image.fromarray(noise[0]).save(root / "cat.jpg")
    Image.fromarray(noise[1]).save(root / "dog.webp")
    torch.manual_seed(0)
    module = torchvision.models.resnet18(num_classes=len(NAMES))
    torch.save(module.state_dict(), root / "mine.pth")
    save_file(module.state_dict(), root / "mine.safetensors")
    (root / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return root


def code(*arguments: str) -> int:
    return code_of(["attribute", *arguments], Talk())


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [block.replace("\\\n", " ").strip() for block in blocks]


@pytest.mark.parametrize("command", commands(), ids=["zoo", "torchvision", "references"])
def test_the_page_s_commands_run_as_they_stand(
    command: str, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in there.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    name, verb, *arguments = shlex.split(command)
    assert (name, verb) == ("gifthorse", "attribute")
    assert code(*arguments) == 0
    out = capsys.readouterr().out
    if "--json" in arguments:
        told = json.loads(out)
        assert [method["status"] for method in told["methods"]] == ["done"] * 3
        assert told["facts"]["references"] == "3 images of clean"
    else:
        assert out.splitlines()[0] in ("maps.html", "cat.html")
    html = (tmp_path / ("cat.html" if "cat.html" in command else "maps.html")).read_text()
    assert "<script" not in html


def test_the_arrays_are_what_the_tool_returns(there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = tmp_path / "maps.npz"
    files = [str(there / name) for name in ("cat.jpg", "dog.webp")]
    options = ["--net", "resnet18", "--weights", str(there / "mine.safetensors"), "--size", "48", "--json"]
    options += ["--method", "saliency,blank", "--arrays", str(arrays), "--out", str(tmp_path / "m.html"), "--seed", "3"]
    assert code(*files, *options) == 0
    told = json.loads(capsys.readouterr().out)
    kept = np.load(arrays)
    assert sorted(kept) == ["blank", "images", "saliency", "targets"]
    module = torchvision.models.resnet18(num_classes=len(NAMES))
    checkpoints.load_into(module, there / "mine.pth")
    how = torchvision_networks.preset("resnet18")
    network = gifthorse.Classifier(
        module, classes=[f"class {i}" for i in range(4)], size=48, mean=how.mean, std=how.std, device="cpu"
    )
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in files]
    # 48 of 55 as torchvision has 224 of 256
    expected = np.stack([framed(picture, 48, 55, "bilinear") for picture in pictures])
    assert (kept["images"] == expected).all()
    images = from_uint8(expected)
    targets = network.predict(images).argmax(1)
    assert kept["targets"].tolist() == targets.tolist() == [image["target"] for image in told["images"]]
    maps = gifthorse.tool("saliency")(network, images, targets, seed=3).values.numpy()
    assert (kept["saliency"] == maps).all()
    for about, values in zip(told["methods"][0]["maps"], maps, strict=True):
        assert about == {"low": values.min(), "high": values.max(), "scale": own_scale(values), "constant": False}
    assert [about["constant"] for about in told["methods"][1]["maps"]] == [True, True]
    assert told["images"][0]["class"] == f"class {targets[0]}"


def test_a_refusal_stops_nothing_and_is_shown(there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "maps.html"
    wanted = "occlusion@baseline=mean,occlusion@window=4@stride=8,saliency,blank"
    assert code(str(there / "scene.png"), "--net", "emoji-resnet", "--method", wanted, "--out", str(out), "--json") == 0
    seen = capsys.readouterr()
    told = json.loads(seen.out)
    assert [method["status"] for method in told["methods"]] == ["refused", "refused", "done", "done"]
    assert "--references FOLDER" in told["methods"][0]["error"]
    assert "occlusion@baseline=mean gave no map" in seen.err
    page = Reader(out.read_text())
    text = " ".join(" ".join(page.texts).split())
    assert "--references FOLDER" in text
    assert "never covered" in text
    assert "1 map is constant" in text
    (figures,) = ([e.text for e in page.of("figcaption")],)
    assert len(figures) == 3  # the image and two maps
    about = told["methods"][2]["maps"][0]
    assert f"scale {about['scale']:.3g}" in " ".join(figures)
    for element in page.elements:
        for name in ("src", "href"):
            assert element.attributes.get(name, "data:").startswith(("data:", "#"))
    assert code(str(there / "scene.png"), "--net", "emoji-resnet", "--method", "occlusion@baseline=mean",
                "--out", str(out)) == 3  # fmt: skip
    assert "no method gave a map" in capsys.readouterr().err


def test_every_method_is_tried_on_a_network_that_half_of_them_refuse(
    there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    module = torchvision.models.vit_b_32(num_classes=len(NAMES), image_size=32)
    torch.nn.init.normal_(module.heads.head.weight)
    torch.save(module.state_dict(), tmp_path / "vit.pth")
    options = ["--net", "vit_b_32", "--weights", str(tmp_path / "vit.pth"), "--size", "32", "--method", "all", "--json"]
    options += ["--references", str(there / "clean"), "--out", str(tmp_path / "maps.html")]
    assert code(str(there / "cat.jpg"), *options) == 0
    seen = capsys.readouterr()
    told = {method["name"]: method for method in json.loads(seen.out)["methods"]}
    assert list(told) == list(methods("all"))
    refused = ["deeplift", "deeplift_shap", "guided_backprop", "deconvolution", "guided_gradcam", "lrp"]
    assert [name for name in told if told[name]["status"] == "refused"] == refused
    text = " ".join(" ".join(Reader((tmp_path / "maps.html").read_text()).texts).split())
    for name in refused:
        assert "at 'encoder.layers.encoder_layer_0." in told[name]["error"]
        assert f"{name} gave no map" in seen.err
        assert " ".join(told[name]["error"].split("\n")[0].split()) in text
    assert all(len(told[name]["maps"]) == 1 for name in told if name not in refused)


@pytest.mark.parametrize(
    ("arguments", "expected", "told"),
    [
        (["scene.png"], 2, "--net emoji-resnet"),
        (["--net", "emoji-resnet"], 2, "IMAGE"),
        (["--net", "emoji-resnett", "scene.png"], 2, "did you mean 'emoji-resnet'"),
        (["--net", "resnet81", "scene.png"], 2, "did you mean 'resnet18'"),
        (["--net", "resnet18", "scene.png"], 2, "nothing is downloaded"),
        (["--net", "emoji-resnet", "scene.png", "--method", "salency"], 2, "did you mean 'saliency'"),
        (["--net", "emoji-resnet", "scene.png", "--method", "cppn_target"], 2, "draws pictures"),
        (["--net", "emoji-resnet", "scene.png", "--method", ","], 2, "no method was named"),
        (["--net", "emoji-resnet", "scene.png", "--method", "occlusion@windoww=3"], 2, "did you mean 'window'"),
        (["--net", "emoji-resnet", "scene.png", "--method", "occlusion@window"], 2, "NAME@SETTING=VALUE"),
        (["--net", "emoji-resnet", "scene.png", "--target", "froog"], 2, "did you mean 'frog'"),
        (["--net", "emoji-resnet", "scene.png", "--target", "83"], 2, "no class '83'"),
        (["--net", "emoji-resnet", "scene.png", "--size", "32"], 2, "takes 64 pixels"),
        (["--net", "emoji-resnet", "scene.png", "--classes", "names.txt"], 2, "leave --classes out"),
        (["--net", "emoji-resnet", "scene.png", "--references", "nowhere"], 3, "nowhere is no folder"),
        (["--net", "emoji-resnet", "nowhere.png"], 3, "nowhere.png cannot be read"),
        (["--net", "emoji-resnet", "names.txt"], 3, "names.txt is not a JPEG"),
        (["--net", "resnet18", "--weights", "names.txt", "scene.png"], 3, "names.txt is not a checkpoint"),
        (["--net", "resnet34", "--weights", "mine.pth", "scene.png"], 3, "does not fit this network"),
        (["--net", "resnet18", "--weights", "mine.pth", "--classes", "mine.pth", "scene.png"], 3, "is not text"),
        (["--net", "resnet18", "--weights", "mine.pth", "--resize", "9", "scene.png"], 2, "--resize"),
    ],
)
def test_mistakes_are_told_in_the_caller_s_words_and_leave_nothing_behind(
    arguments: list[str],
    expected: int,
    told: str,
    there: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(there)
    out = tmp_path / "maps.html"
    assert code(*arguments, "--out", str(out)) == expected
    seen = capsys.readouterr().err
    assert told in " ".join(seen.split())
    assert "try:" in seen
    assert not list(tmp_path.iterdir())


def test_pickled_objects_are_not_let_in(there: Path, tmp_path: Path) -> None:
    torch.save({"model": torchvision.models.resnet18()}, tmp_path / "whole.pth")
    order = Order(net="resnet18", weights=tmp_path / "whole.pth", images=(there / "cat.jpg",), methods=("saliency",))
    with pytest.raises(HostileFile, match="run code when they are loaded"):
        attribute(order, lambda _: None)


def test_class_names_are_as_many_as_outputs(there: Path, tmp_path: Path) -> None:
    names = tmp_path / "three.txt"
    names.write_text("a\nb\n\nc\n")
    order = Order(
        net="resnet18",
        weights=there / "mine.pth",
        images=(there / "cat.jpg",),
        methods=(),
        classes=names,
    )
    with pytest.raises(InputError, match=r"3 class names.*4 outputs"):
        classifier(order)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet1_0", "vit_b_32"])
def test_the_number_of_outputs_is_the_file_s(name: str, tmp_path: Path) -> None:
    more = {"image_size": 64} if name == "vit_b_32" else {}
    module = torchvision.models.get_model(name, weights=None, num_classes=7, **more)
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    state = torch.random.get_rng_state()
    how = torchvision_networks.preset(name)
    small = torchvision_networks.Preset(size=64, resize=64, filter_name="bilinear", mean=how.mean, std=how.std)
    network = torchvision_networks.load(name, tmp_path / "w.pth", small, device="cpu")
    assert network.classes == tuple(f"class {index}" for index in range(7))
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(UsageError, match="did you mean"):
        torchvision_networks.preset(f"{name}x")


def test_all_is_what_looks_at_the_network_and_the_edge_detectors() -> None:
    every = methods("all")
    assert {"saliency", "occlusion", "edges_sobel"} <= set(every)
    assert not {"blank", "random", "centre", "cppn_target"} & set(every)
    assert methods("all,blank,saliency") == (*every, "blank")
    assert all(TOOLS[name].kind == "attribution" for name in every)


def test_a_target_is_a_name_or_an_index(there: Path) -> None:
    network = NETWORKS.make("emoji-resnet").load(device="cpu")
    index = list(network.classes).index("frog")
    for wanted in ("frog", str(index)):
        order = Order(net="emoji-resnet", images=(there / "scene.png",), methods=("blank",), target=wanted)
        (subject,) = attribute(order, lambda _: None).subjects
        assert (subject.target, subject.label) == (index, "frog")
