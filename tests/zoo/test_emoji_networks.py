"""The small classifiers, and the training loop that makes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gifthorse.errors import InputError
from gifthorse.zoo import NETWORKS, recipes, training
from gifthorse.zoo.emoji_mobile import EmojiMobile
from gifthorse.zoo.emoji_networks import WEIGHTS, EmojiNetwork, EmojiResNet, EmojiVGG, ResNet
from gifthorse.zoo.emoji_vit import Attending, EmojiViT
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.training import Batch, Passes, Schedule, fit

DATA = EmojiScenes(ground_count=16)
TINY = Schedule(scenes=32, passes=3, batch=8, learning_rate=1e-3, every=4)


NETS = {"emoji-resnet": EmojiResNet, "emoji-vgg": EmojiVGG, "emoji-mobile": EmojiMobile, "emoji-vit": EmojiViT}


@pytest.mark.parametrize("name", NETS)
def test_a_shipped_network_is_small_and_is_what_its_log_says(name: str) -> None:
    classifier = NETWORKS.make(name).load(device="cpu", precision="float32")
    assert classifier.classes == DATA.classes
    assert classifier.size == 64
    assert classifier.name == name
    assert sum(p.numel() for p in classifier.module.parameters()) < 1_000_000
    sample = EmojiScenes().draw("test", 600, 99, without=DATA.things)
    hits = classifier.predict(sample.images).argmax(1).numpy() == sample.labels
    assert hits.mean() >= 0.90
    report = json.loads((WEIGHTS / f"{name}.log.json").read_text())
    assert 0.93 <= report["accuracy"]["value"] <= 0.99
    assert report["data"] == EmojiScenes().digest, f"the scenes changed: scripts/train-zoo {name}"


@pytest.mark.parametrize("name", NETS)
def test_penultimate_features_are_relu_and_enough(name: str) -> None:
    classifier = NETWORKS.make(name).template(device="cpu", precision="float32")
    features = classifier.penultimate(torch.rand(2, 3, 64, 64))
    assert features.shape[1] >= 128
    assert features.min() >= 0


@pytest.mark.parametrize(("build", "count"), [(EmojiResNet, 5), (EmojiVGG, 5), (EmojiMobile, 10), (EmojiViT, 10)])
def test_every_relu_is_a_module_of_its_own_and_none_is_in_place(build: type[EmojiNetwork], count: int) -> None:
    module = build().module(4)
    used: list[nn.Module] = []
    relus = [m for m in module.modules() if isinstance(m, nn.ReLU)]
    for relu in relus:
        relu.register_forward_hook(lambda m, _i, _o: used.append(m))
        assert not relu.inplace
    module(torch.rand(1, 3, 64, 64))
    assert len(used) == len(set(map(id, used))) == len(relus) == count


def test_a_template_is_untrained_and_has_the_classes_given() -> None:
    template = EmojiResNet().template(("a", "b", "c"), device="cpu", precision="float32")
    assert template.classes == ("a", "b", "c")
    assert template(torch.rand(1, 3, 64, 64)).shape == (1, 3)


def test_missing_and_foreign_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing.safetensors are not there"):
        EmojiResNet().load(tmp_path / "nothing.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other.safetensors does not hold this network"):
        EmojiResNet().load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(InputError, match=r"text.safetensors does not hold this network"):
        EmojiResNet().load(tmp_path / "text.safetensors")


def _module() -> nn.Module:
    torch.manual_seed(0)
    return ResNet(len(DATA.classes), 4, (6, 8))


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    labels = torch.from_numpy(batch.sample.labels)[batch.rows]
    return nn.functional.cross_entropy(network(batch.images).float(), labels)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _module()
    fit(whole, Passes(DATA), _loss, TINY, tmp_path / "whole")
    seen = 0

    def stopping(network: nn.Module, batch: Batch) -> Tensor:
        nonlocal seen
        seen += 1
        if seen > 6:
            raise KeyboardInterrupt
        return _loss(network, batch)

    with pytest.raises(KeyboardInterrupt):
        fit(_module(), Passes(DATA), stopping, TINY, tmp_path / "stopped")
    torch.manual_seed(1)
    resumed = ResNet(len(DATA.classes), 4, (6, 8))
    log = fit(resumed, Passes(DATA), _loss, TINY, tmp_path / "stopped")
    assert [line["step"] for line in log] == [4, 8, 12]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path: Path) -> None:
    fit(_module(), Passes(DATA), _loss, replace(TINY, passes=1), tmp_path)
    log = fit(_module(), Passes(DATA), _loss, TINY, tmp_path)
    assert [line["step"] for line in log] == [4, 8, 12]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == log


@pytest.mark.parametrize(("widths", "last"), [((4, 6), False), ((8, 8), True)])
def test_training_takes_the_fast_layout_where_its_gradients_end(
    widths: tuple[int, int], last: bool, tmp_path: Path
) -> None:
    module = ResNet(len(DATA.classes), widths[0], (widths[1],))
    fit(module, Passes(DATA), _loss, replace(TINY, scenes=8, passes=1), tmp_path)
    assert module.conv.weight.is_contiguous(memory_format=torch.channels_last) == last


def test_no_two_passes_see_the_same_scenes(tmp_path: Path) -> None:
    seeds: list[int] = []

    def noting(network: nn.Module, batch: Batch) -> Tensor:
        seeds.append(batch.sample.seed)
        return _loss(network, batch)

    fit(_module(), Passes(DATA), noting, TINY, tmp_path)
    assert len(seeds) == TINY.steps == 12
    assert len(set(seeds)) == 3


def test_the_learning_rate_goes_up_and_down_once() -> None:
    schedule = Schedule(scenes=1_280, passes=10, batch=128, learning_rate=0.01, warm=0.2)
    rates = [schedule.rate(step) for step in range(schedule.steps)]
    assert max(rates) == pytest.approx(0.01, rel=0.06)
    peak = int(np.argmax(rates))
    assert 17 <= peak <= 21
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("name", NETS)
def test_a_recipe_ships_weights_and_their_log(name: str, tmp_path: Path) -> None:
    schedule, network = replace(TINY, scenes=16, passes=1), NETS[name]()
    report = recipes.train_classifier(network, tmp_path / "work", tmp_path / "weights", schedule, held_out=20)
    shipped = load_file(tmp_path / "weights" / f"{name}.safetensors")
    assert (
        sum(v.numel() for n, v in shipped.items() if "running" not in n and "num_batches" not in n)
        == report["parameters"]
    )
    written = json.loads((tmp_path / "weights" / f"{name}.log.json").read_text())
    assert written == json.loads(json.dumps(report))
    assert network.load(tmp_path / "weights" / f"{name}.safetensors", device="cpu").name == name


def test_of_what_is_shipped_halved_the_halves_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = DATA.classes[3], DATA.classes[5]

    def fitted(module: nn.Module, *_: object) -> list[dict[str, float]]:
        with torch.no_grad():
            weight, bias = module.get_parameter("head.weight"), module.get_parameter("head.bias")
            weight.zero_()
            bias.zero_()
            bias[3], bias[5] = 1.0, 1.0001  # which is 1 as float16
        module.eval()
        return []

    monkeypatch.setattr(recipes, "fit", fitted)
    for halved, said in ((False, second), (True, first)):
        recipes.train_classifier(EmojiViT(), tmp_path, tmp_path, TINY, held_out=20, halved=halved)
        shipped = load_file(tmp_path / "emoji-vit.safetensors")
        kinds = {value.dtype for value in shipped.values() if value.is_floating_point()}
        assert kinds == {torch.float16 if halved else torch.float32}
        report = json.loads((tmp_path / "emoji-vit.log.json").read_text())
        assert {found for _, found, _ in report["confusions"]} == {said}


def test_attention_sees_the_whole_scene_and_tells_places_apart() -> None:
    torch.manual_seed(0)
    block = Attending(8, 2, 2).eval()
    maps = torch.rand(1, 8, 6, 6)
    changed = maps.clone()
    changed[..., 5, 5] += 1
    with torch.no_grad():
        far = (block(changed) - block(maps))[0, :, 0, 0].abs().max()
        turned = block(maps.flip(-1)) - block(maps).flip(-1)
    assert far > 1e-6, "one end of the map knows of the other"
    assert turned.abs().max() > 1e-3, "a mirrored map is not the mirrored answer: its places have filters"
    assert block(maps).shape == maps.shape


def test_autocast_is_off_where_the_machine_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "bfloat16_is_fast", lambda device: False)
    with training.autocast():
        assert (torch.rand(4, 4) @ torch.rand(4, 4)).dtype == torch.float32
